/** A run waits for the graphics card's programs before it is planned, says so, and ends as it should when they cannot be made. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { gpu } from '../../../src/gpu/inside';
import type { PackedRows } from '../../../src/protocol/data';
import type { RunEvent } from '../../../src/protocol/events';
import { parseSettings } from '../../../src/protocol/settings';
import { openStorage, type Storage } from '../../../src/storage/database';
import { Library } from '../../../workers/models/library';
import { restartMachine } from '../../../workers/device/machine';
import { RunBook } from '../../../src/storage/runBook';
import { Runs } from '../../../workers/runs/running';
import { Shelf } from '../../../workers/adapters/shelf';
import { Tuning } from '../../../workers/device/tuning';
import { Verdicts } from '../../../workers/device/verdicts';
import { tinyPage } from '../models/tinyPage';

vi.setConfig({ testTimeout: 180_000 });

const WHAT = 'Preparing the graphics card’s programs';

let db: Storage;
let runs: Runs;
let databases = 0;
beforeEach(async () => {
  await restartMachine();
  db = await openStorage(`programs-${++databases}`);
  const book = new RunBook(db);
  const library = new Library(db, tinyPage());
  runs = new Runs(
    { db, library, shelf: new Shelf(db, book, library), tuning: new Tuning(db), verdicts: new Verdicts(db) },
    book,
  );
});
afterEach(() => db.close());

function rows(count: number): PackedRows {
  const length = 32;
  const ids = Int32Array.from({ length: length * count }, (_, i) => ((i * 7) % 13) + 20);
  const documentStart = new Int32Array(ids.length);
  return { length, rows: count, ids, targets: ids, documentStart, examples: count, supervised: ids.length };
}

/** Two steps, and what was told of them; `hear` may meddle. */
async function train(hear: (event: RunEvent) => void = () => undefined): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  const settings = parseSettings({
    ...{ rank: 4, alpha: 8, maxSteps: 2, evaluateEvery: 2, batchExamples: 1, targets: ['o_proj'] },
  });
  const data = {
    ...{ name: 'made', hash: 'ab', train: rows(4), validation: rows(1), test: [], testIsValidation: true },
    split: { rule: 'none' as const, seed: 1, train: 4, validation: 1, test: 0 },
  };
  await runs.start({ modelId: 'tiny', name: 'Two steps', settings, data }, (event) => {
    events.push(event);
    hear(event);
  });
  return events;
}

const waits = (events: RunEvent[]) =>
  events.flatMap((event) => (event.type === 'loading' && event.what === WHAT ? [event] : []));

it('tells how many of how many are ready, all before the plan, and nothing where all are there', async () => {
  const first = await train();
  expect(first.at(-1)).toMatchObject({ type: 'finished', reason: 'completed' });
  const told = waits(first);
  const [{ total } = { total: 0 }] = told;
  expect(total).toBeGreaterThan(20);
  expect(told.at(-1)).toMatchObject({ done: total, total });
  const done = told.map((event) => event.done);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  const kinds = first.map((event) => event.type);
  expect(kinds.lastIndexOf('loading')).toBeLessThan(kinds.indexOf('planned'));
  expect(waits(await train())).toEqual([]);
});

it('a program that cannot be made fails the run as a GPU error', async () => {
  const { device } = gpu();
  const make = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = (descriptor) =>
    make(
      descriptor.label === 'adamw'
        ? { ...descriptor, compute: { ...descriptor.compute, entryPoint: 'gone' } }
        : descriptor,
    );
  const last = (await train()).at(-1);
  expect(last).toMatchObject({ type: 'failed', failure: { kind: 'gpu-error' } });
  expect(JSON.stringify(last)).toContain('gone');
});

it('a device that is lost while they are made ends the run as one lost while weights come in', async () => {
  const lostAt = async (what: string) => {
    let lost = false;
    const events = await train((event) => {
      if (lost || event.type !== 'loading' || event.what !== what) return;
      lost = true;
      gpu().device.destroy();
    });
    expect(lost).toBe(true);
    expect(events.some(({ type }) => type === 'step')).toBe(false);
    return events.at(-1);
  };
  const inLoading = await lostAt('Tiny');
  expect(inLoading).toMatchObject({ type: 'failed', failure: { kind: 'device-lost', reason: 'destroyed' } });
  expect(await lostAt(WHAT)).toEqual(inLoading);
});
