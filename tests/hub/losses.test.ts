/** What weights lose on their way in is counted once, over a pause too, and carried with the model. */
import 'fake-indexeddb/auto';
import { expect, it } from 'vitest';
import { assetsFrom } from '../../src/chat/assets';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import type { Losses } from '../../src/protocol/models';
import { openStorage } from '../../src/storage/database';
import { filesIn, keepModel } from '../../src/storage/keepModel';
import { listParts } from '../../src/storage/modelParts';
import { headOf } from '../../workers/models/modelHead';
import { summaryOf } from '../../workers/models/modelSummary';
import { synthetic } from './configs';
import { syntheticRepository } from './synthetic';

const files = new Map<string, Buffer>();
for (const { name, bytes, read } of syntheticRepository(synthetic('tiny/Tiny-Qwen')).files) {
  const parts: Buffer[] = [];
  for await (const part of read(0, bytes)) parts.push(part as Buffer);
  files.set(name, Buffer.concat(parts));
}

/** bf16 patterns instead of the first weights of the tensor that lies first in the file. */
async function checkpointWith(patterns: number[]) {
  const weights = new Uint8Array(files.get('model.safetensors') ?? []);
  const view = new DataView(weights.buffer);
  const data = 8 + Number(view.getBigUint64(0, true));
  patterns.forEach((pattern, i) => view.setUint16(data + 2 * i, pattern, true));
  const texts = [...files].filter(([name]) => !name.endsWith('.safetensors'));
  return openCheckpoint(
    [fileInMemory('model.safetensors', weights)],
    new Map(texts.map(([name, bytes]) => [name, bytes.toString()])),
  );
}

let databases = 0;
/** `pieces`: it is stopped after so many, and begun again. */
async function lossesOf(patterns: number[], pieces: number | null = null): Promise<Losses | undefined> {
  const db = await openStorage(`losses-${++databases}`);
  const checkpoint = await checkpointWith(patterns);
  const assets = assetsFrom(checkpoint.texts, checkpoint.config);
  const head = headOf('kept-1', 'Tiny', checkpoint, assets, 'f16', null);
  head.files = filesIn(checkpoint).map(({ name, size }) => ({ name, bytes: size, sha256: null }));
  const keep = (check: () => void) =>
    keepModel(db, head, checkpoint, { report: () => undefined, check, partBytes: 20_000 });
  if (pieces !== null) {
    let left = pieces;
    const stop = () => {
      if (left-- === 0) throw new Error('stopped');
    };
    await expect(keep(stop)).rejects.toThrow('stopped');
    expect((await listParts(db, head.id)).length).toBeGreaterThan(1);
  }
  const model = await keep(() => undefined);
  db.close();
  return summaryOf(model).losses;
}

// 2^127; not a number; minus infinity; 2^-32 twice, one of them negative
const patterns = [0x7f00, 0x7fc0, 0xff80, 0x2f80, 0xaf80];

it('too large, too small, and not a number', async () => {
  const without = await lossesOf([]);
  expect(without).toMatchObject({ saturated: 0, notFinite: 0 });
  expect(await lossesOf(patterns)).toEqual({
    saturated: 1,
    notFinite: 2,
    flushed: (without?.flushed ?? NaN) + 2,
  });
});

it('the same when it was stopped in between', async () => {
  expect(await lossesOf(patterns, 8)).toEqual(await lossesOf(patterns));
});
