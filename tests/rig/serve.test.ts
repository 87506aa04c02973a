/** The server hands out the built app and nothing else. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CSP_META } from '../../scripts/csp.mjs';
import { fileFor, serve } from '../../scripts/serve.mjs';

const around = mkdtempSync(join(tmpdir(), 'loratory-serve-'));
const dist = join(around, 'dist');

beforeAll(() => {
  mkdirSync(join(dist, 'assets'), { recursive: true });
  writeFileSync(join(dist, 'index.html'), '<title>app</title>');
  writeFileSync(join(dist, 'assets/a-1.js'), 'export {};');
  writeFileSync(join(dist, 'weights.safetensors'), 'w');
  writeFileSync(join(around, 'secret.txt'), 'secret');
  symlinkSync(join(around, 'secret.txt'), join(dist, 'link.txt'));
});
afterAll(() => rmSync(around, { recursive: true }));

describe('fileFor', () => {
  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/../../secret.txt',
    '/link.txt',
  ])('does not leave the folder for %s', (path) => expect(fileFor(dist, path)).toBeNull());
  it.each(['/assets', '/%', '/a%00b', '/..\\secret.txt', '/missing.js'])('has no file for %s', (path) =>
    expect(fileFor(dist, path)).toBeNull(),
  );
  it('finds the page and its parts', () => {
    expect(fileFor(dist, '/')).toMatch(/index\.html$/);
    expect(fileFor(dist, '/assets/a-1.js')).toMatch(/a-1\.js$/);
  });
});

describe('serve', () => {
  it('sends types, caching and the policy', async () => {
    const { url, close } = await serve({ folder: dist, port: 0 });
    const page = await fetch(url);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toBe(`${CSP_META}; frame-ancestors 'none'`);
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const script = await fetch(`${url}assets/a-1.js`);
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect((await fetch(`${url}weights.safetensors`)).headers.get('content-type')).toBe(
      'application/octet-stream',
    );
    expect((await fetch(`${url}nothing`)).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    await close();
  });

  it('does not leave the folder for a raw path, which fetch would have tidied', async () => {
    const { url, close } = await serve({ folder: dist, port: 0 });
    const status = await new Promise((done) => {
      const { port } = new URL(url);
      request({ host: 'localhost', port, path: '/../secret.txt' }, (answer) => done(answer.statusCode)).end();
    });
    expect(status).toBe(404);
    await close();
  });

  it('takes the next port where one is taken', async () => {
    const first = await serve({ folder: dist, port: 0 });
    const port = Number(new URL(first.url).port);
    const second = await serve({ folder: dist, port });
    expect(Number(new URL(second.url).port)).toBeGreaterThan(port);
    await first.close();
    await second.close();
  });

  it('says so where nothing was built', async () => {
    await expect(serve({ folder: join(dist, 'assets'), port: 0 })).rejects.toThrow('npm run build');
  });
});
