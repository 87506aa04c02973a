import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PackedRows } from '../../src/protocol/data';
import type { Evaluated, StepReport } from '../../src/protocol/events';
import { defaultSettings } from '../../src/protocol/settings';
import { saveCheckpoint } from '../../src/storage/checkpoints';
import { openStorage, type Storage } from '../../src/storage/database';
import { appendCurve, deleteRun, listRuns, loadRun, saveRun, updateRun } from '../../src/storage/runs';
import type { StoredRun } from '../../src/storage/schema';

let db: Storage;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`runs-${++databases}`);
});
afterEach(() => db.close());

const rows: PackedRows = {
  length: 2,
  rows: 1,
  ids: Int32Array.of(5, 6),
  targets: Int32Array.of(6, -1),
  documentStart: Int32Array.of(0, 0),
  examples: 1,
  supervised: 1,
};
const run = (id: string, created: number): StoredRun => ({
  id,
  name: `Run ${id}`,
  modelId: 'tiny',
  modelName: 'Tiny',
  datasetName: 'rows.jsonl',
  created,
  status: 'running',
  step: 0,
  steps: 40,
  bestLoss: null,
  adapterId: null,
  settings: defaultSettings,
  plan: null,
  data: {
    name: 'rows.jsonl',
    hash: 'ab',
    train: rows,
    validation: rows,
    test: [],
    testIsValidation: true,
    split: { rule: '80 / 20', seed: 42, train: 1, validation: 1, test: 0 },
  },
  history: { steps: [], evaluations: [], finished: null },
});
const steps = (from: number, to: number, loss: number): StepReport[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    step: from + i,
    steps: 40,
    epoch: 0,
    loss,
    learningRate: 1e-4,
    gradientNorm: 1,
    supervised: 1,
    tokens: 2,
    stepTime: 5,
  }));
const evaluation = (step: number, loss: number): Evaluated => ({ step, loss, best: true });

it('gives a run back as it was saved, rows and all', async () => {
  await saveRun(db, run('a', 1));
  expect(await loadRun(db, 'a')).toEqual(run('a', 1));
});

it('lists the newest run first, without its rows', async () => {
  await saveRun(db, run('a', 1));
  await saveRun(db, run('b', 2));
  const listed = await listRuns(db);
  expect(listed.map(({ id }) => id)).toEqual(['b', 'a']);
  expect(listed[0]).not.toHaveProperty('data');
});

it('adds points to the curves and keeps the summary in step', async () => {
  await saveRun(db, run('a', 1));
  await appendCurve(db, 'a', { steps: steps(1, 10, 3), evaluations: [evaluation(10, 2.5)] });
  await appendCurve(db, 'a', { steps: steps(11, 20, 2), evaluations: [evaluation(20, 2.7)] });
  const { history, step, bestLoss } = await loadRun(db, 'a');
  expect(history.steps.map((point) => point.step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect([step, bestLoss, history.evaluations.length]).toEqual([20, 2.5, 2]);
});

it('replaces steps that are done again after going on from a checkpoint', async () => {
  await saveRun(db, run('a', 1));
  await appendCurve(db, 'a', { steps: steps(1, 17, 3), evaluations: [evaluation(10, 2.5)] });
  await appendCurve(db, 'a', { steps: steps(11, 12, 1), evaluations: [] });
  const { history, step } = await loadRun(db, 'a');
  // 1…10 stay, 11…17 go, 11 and 12 come anew.
  expect(history.steps.map((point) => point.loss)).toEqual([...Array<number>(10).fill(3), 1, 1]);
  expect([step, history.evaluations.length]).toEqual([12, 1]);
});

it('changes what it is told to and nothing else', async () => {
  await saveRun(db, run('a', 1));
  await updateRun(db, 'a', { status: 'finished', adapterId: 'x', finished: 'completed' });
  const expected = { ...run('a', 1), status: 'finished', adapterId: 'x' };
  expect(await loadRun(db, 'a')).toEqual({
    ...expected,
    history: { ...expected.history, finished: 'completed' },
  });
});

it('deletes a run with its checkpoints and no other run’s', async () => {
  await saveRun(db, run('a', 1));
  await saveRun(db, run('ab', 2));
  await saveCheckpoint(db, 'a', { step: 1, bytes: new ArrayBuffer(1), meta: null });
  await saveCheckpoint(db, 'ab', { step: 1, bytes: new ArrayBuffer(1), meta: null });
  await deleteRun(db, 'a');
  await expect(loadRun(db, 'a')).rejects.toThrow('There is no stored run a.');
  expect((await listRuns(db)).map(({ id }) => id)).toEqual(['ab']);
  expect((await db.getAll('checkpoints')).map(({ runId }) => runId)).toEqual(['ab']);
});
