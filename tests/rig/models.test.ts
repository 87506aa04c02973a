/** A folder of models in the hub's layout, on the page's own address: what a classroom loads from. */
import 'fake-indexeddb/auto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answerHub } from '../../scripts/hubLayout.mjs';
import { modelFolder } from '../../scripts/modelFolder.mjs';
import { serve } from '../../scripts/serve.mjs';
import { openStorage } from '../../src/storage/database';
import { findModel, modelSource } from '../../src/storage/models';
import { Intake } from '../../workers/models/intake';
import { synthetic } from '../hub/configs';
import { syntheticRepository } from '../hub/synthetic';

const around = mkdtempSync(join(tmpdir(), 'loratory-models-'));
const models = join(around, 'models');
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  mkdirSync(join(around, 'dist'));
  writeFileSync(join(around, 'dist/index.html'), '<title>app</title>');
  mkdirSync(join(models, 'tiny/Tiny-Qwen'), { recursive: true });
  for (const { name, bytes, read } of syntheticRepository(synthetic('tiny/Tiny-Qwen')).files) {
    const parts: Buffer[] = [];
    for await (const part of read(0, bytes)) parts.push(part as Buffer);
    writeFileSync(join(models, 'tiny/Tiny-Qwen', name), Buffer.concat(parts));
  }
  writeFileSync(join(around, 'secret.json'), '{}');
  symlinkSync(around, join(models, 'tiny/out'));
  const { find } = modelFolder(models);
  server = await serve({
    folder: join(around, 'dist'),
    port: 0,
    hub: (path, request, response) => answerHub(find, path, request, response),
  });
});
afterAll(async () => {
  await server.close();
  rmSync(around, { recursive: true });
});

it('a page on the same address loads a model from it', async () => {
  const db = await openStorage('mirror');
  const { origin } = new URL(server.url);
  const surroundings = {
    origin,
    fetch: (url: URL, init: RequestInit) => fetch(url, init),
    sleep: async () => {},
  };
  const intake = new Intake(db, surroundings, () => undefined);
  const request = { repository: 'tiny/Tiny-Qwen', revision: 'main', weightFormat: 'f16' as const };
  const end = await intake.download({ ...request, hub: `${server.url}hub` }, () => undefined);
  if (end.state !== 'kept') throw new Error(end.state);
  const model = await findModel(db, end.model.id);
  if (!model) throw new Error('not stored');
  const source = await modelSource(db, model);
  // norms of the generated checkpoint are one
  expect(await source.read('model.norm.weight')).toEqual(new Float32Array(128).fill(1));
  expect(end.model.origin?.repository).toBe('tiny/Tiny-Qwen');
  db.close();
});

it.each([
  '/hub/tiny/out/resolve/main/secret.json',
  '/hub/tiny/Tiny-Qwen/resolve/main/..%2f..%2f..%2fsecret.json',
  '/hub/api/models/tiny/Nothing/revision/main',
  '/hub/tiny/Tiny-Qwen/resolve/other/config.json',
])('%s is not there', async (path) => {
  expect((await fetch(`${server.url}${path.slice(1)}`)).status).toBe(404);
});

it('ranges are exact, and past the end refused', async () => {
  const ask = (range: string) =>
    fetch(`${server.url}hub/tiny/Tiny-Qwen/resolve/main/config.json`, { headers: { Range: range } });
  const part = await ask('bytes=1-4');
  expect([part.status, (await part.text()).length]).toEqual([206, 4]);
  expect((await ask('bytes=99999999-99999999')).status).toBe(416);
});
