/**
 * Serves the built app on localhost: `node scripts/serve.mjs [--port N]`. Plain files with the headers a host should
 * send. Not a development server (that is `npm run dev`).
 */
import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CSP_HEADER } from './csp.mjs';

const DIST = resolve(import.meta.dirname, '../dist');

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.jsonl': 'application/jsonl; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/**
 * The file a request names, or null: nothing outside `folder` is ever served, not even through a link inside it.
 * @param {string} folder @param {string} path @returns {string | null}
 */
export function fileFor(folder, path) {
  let name;
  try {
    name = decodeURIComponent(path);
  } catch {
    return null;
  }
  if (name.includes('\0') || name.includes('\\')) return null;
  const root = realpathSync(folder);
  const wanted = join(root, name.endsWith('/') ? `${name}index.html` : name);
  if (!existsSync(wanted)) return null;
  const real = realpathSync(wanted);
  return real.startsWith(root + sep) && statSync(real).isFile() ? real : null;
}

/** @param {string} folder */
function answer(folder) {
  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  return (request, response) => {
    response.setHeader('Content-Security-Policy', CSP_HEADER);
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      return;
    }
    const path = (request.url ?? '/').split(/[?#]/)[0] ?? '/';
    const file = fileFor(folder, path);
    if (!file) {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`No such file: ${path}\n`);
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': statSync(file).size,
      // Files under assets/ carry their hash in the name.
      'Cache-Control': path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    if (request.method === 'HEAD') response.end();
    else createReadStream(file).pipe(response);
  };
}

/**
 * Starts the server on `port`, or on the next free one. Port 0 lets the system choose.
 * @param {{ folder?: string, port?: number }} [options]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve({ folder = DIST, port = 4173 } = {}) {
  if (!existsSync(join(folder, 'index.html')))
    throw new Error(`There is no built app in ${folder}. Run: npm run build`);
  const server = createServer(answer(folder));
  for (let candidate = port; ; candidate++) {
    const error = await new Promise((done) => {
      server.once('error', done);
      server.listen(candidate, 'localhost', () => {
        server.removeListener('error', done);
        done(null);
      });
    });
    if (!error) break;
    if (error.code !== 'EADDRINUSE' || candidate >= port + 50) throw error;
  }
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('The server has no port.');
  return {
    url: `http://localhost:${address.port}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const at = process.argv.indexOf('--port');
  const port = at === -1 ? 4173 : Number(process.argv[at + 1]);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error(`--port wants a number from 0 to 65535, not ${process.argv[at + 1] ?? 'nothing'}.`);
    process.exit(2);
  }
  try {
    const { url } = await serve({ port });
    console.log(`Loratory is at ${url}  (Ctrl+C ends it)`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
