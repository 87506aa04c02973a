/** A run goes on only on the weights it was begun on, whatever file lies under the same name now. */
import 'fake-indexeddb/auto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../../src/protocol/events';
import { defaultSettings } from '../../../src/protocol/settings';
import { openStorage, type Storage } from '../../../src/storage/database';
import { loadRun, saveRun } from '../../../src/storage/runs';
import { Library } from '../../../workers/models/library';
import { RunBook } from '../../../src/storage/runBook';
import { Runs } from '../../../workers/runs/running';
import { Shelf } from '../../../workers/adapters/shelf';
import { Tuning } from '../../../workers/device/tuning';
import { Verdicts } from '../../../workers/device/verdicts';
import { TINY, tinyPage } from '../models/tinyPage';

let db: Storage;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`go-on-${++databases}`);
  vi.stubGlobal('navigator', {}); // no locks: one tab
});
afterEach(() => {
  db.close();
  vi.unstubAllGlobals();
});

/** `flip`: a byte of the weights that is another one than in the fixture. */
const library = (flip: number | null = null) => new Library(db, tinyPage(flip));
const size = readFileSync(`${TINY}/model.safetensors`).length;

async function begunOn(baseHash: string | null): Promise<void> {
  const none = {
    ...{ length: 1, rows: 0, examples: 0, supervised: 0 },
    ...{ ids: new Int32Array(0), targets: new Int32Array(0), documentStart: new Int32Array(0) },
  };
  await saveRun(db, {
    ...{ id: 'run', name: 'Shop', modelId: 'tiny', modelName: 'Tiny', datasetName: 'a', created: 1 },
    ...{ status: 'unfinished', step: 3, steps: 9, bestLoss: null, adapterId: null, plan: null },
    settings: defaultSettings,
    ...(baseHash === null ? {} : { baseHash }),
    data: {
      ...{ name: 'a', hash: 'ab', train: none, validation: none, test: [], testIsValidation: true },
      split: { rule: 'none', seed: 1, train: 0, validation: 0, test: 0 },
    },
    history: { steps: [], evaluations: [], finished: null },
  });
}

async function failureOfGoingOn(models: Library): Promise<unknown> {
  const events: RunEvent[] = [];
  const book = new RunBook(db);
  const runs = new Runs(
    {
      db,
      library: models,
      shelf: new Shelf(db, book, models),
      tuning: new Tuning(db),
      verdicts: new Verdicts(db),
    },
    book,
  );
  await runs.goOn('run', (event) => events.push(event));
  return events.flatMap((event) => (event.type === 'failed' ? [event.failure] : []))[0];
}

it('the same files have the same hash, and one other byte another', async () => {
  const hashOf = async (models: Library) => (await models.files('tiny')).hash();
  const hash = await hashOf(library());
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(await hashOf(library())).toBe(hash);
  expect(await hashOf(library(size - 1))).not.toBe(hash);
});

it('is refused under the same name with other weights, and stays as it is', async () => {
  const hash = await (await library().files('tiny')).hash();
  await begunOn(hash);
  const before = await loadRun(db, 'run');
  expect(before.baseHash).toBe(hash);
  const failure = await failureOfGoingOn(library(size - 1));
  expect(failure).toMatchObject({ kind: 'wrong-base', expected: hash.slice(0, 12) });
  expect((failure as { message: string }).message).toMatch(
    /The run Shop was begun on other weights than Tiny has now\. It stays as it is/,
  );
  expect(await loadRun(db, 'run')).toEqual(before);
});
