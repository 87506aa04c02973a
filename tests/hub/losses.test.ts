/** What weights lose on their way in is counted once, over a pause too, and carried with the model. */
import 'fake-indexeddb/auto';
import { expect, it } from 'vitest';
import type { Losses } from '../../src/protocol/models';
import { openStorage } from '../../src/storage/database';
import { Intake, type Surroundings } from '../../workers/intake';
import { synthetic } from './configs';
import { syntheticRepository } from './synthetic';

const repository = syntheticRepository(synthetic('tiny/Tiny-Qwen'));
const files = await Promise.all(
  repository.files.map(async ({ name, bytes, read }) => {
    const parts: Buffer[] = [];
    for await (const part of read(0, bytes)) parts.push(part as Buffer);
    return { path: `Tiny/${name}`, bytes: Buffer.concat(parts) };
  }),
);
const around: Surroundings = {
  origin: null,
  fetch: () => Promise.reject(new Error('Nobody is asked.')),
  sleep: () => Promise.resolve(),
  partBytes: 20_000,
};

/** bf16 patterns instead of the first weights of the tensor that lies first in the file. */
function picked(patterns: number[]) {
  return files.map(({ path, bytes }) => {
    const own = Buffer.from(bytes);
    if (path.endsWith('.safetensors'))
      patterns.forEach((pattern, i) => own.writeUInt16LE(pattern, 8 + Number(own.readBigUInt64LE()) + 2 * i));
    return { path, file: new Blob([own]) };
  });
}

let databases = 0;
async function lossesOf(patterns: number[], pauseAt = Infinity): Promise<Losses> {
  const db = await openStorage(`losses-${++databases}`);
  let intake = new Intake(db, around, () => undefined);
  let paused = false;
  let end = await intake.add(picked(patterns), 'f16', ({ id, bytesDone }) => {
    if (bytesDone < pauseAt || paused) return;
    paused = true;
    intake.pause(id);
  });
  if (pauseAt < Infinity) expect(end.state).toBe('paused');
  if (end.state === 'paused') {
    intake = new Intake(db, around, () => undefined);
    end = await intake.add(picked(patterns), 'f16', () => undefined);
  }
  db.close();
  if (end.state !== 'kept' || !end.model.losses) throw new Error(end.state);
  return end.model.losses;
}

// 2^127; not a number; minus infinity; 2^-32 twice, one of them negative
const patterns = [0x7f00, 0x7fc0, 0xff80, 0x2f80, 0xaf80];

it('too large, too small, and not a number', async () => {
  const without = await lossesOf([]);
  expect(without).toMatchObject({ saturated: 0, notFinite: 0 });
  expect(await lossesOf(patterns)).toEqual({
    saturated: 1,
    notFinite: 2,
    flushed: without.flushed + 2,
  });
});

it('the same when it was paused in between', async () => {
  expect(await lossesOf(patterns, 1_000_000)).toEqual(await lossesOf(patterns));
});
