/**
 * Runs and their curves. A run's summary, settings, curves and rows lie in four stores, so that the list of runs and each
 * saved step stay small. Not its weights: those are in `checkpoints.ts`.
 */
import type { RunSummary } from '../protocol/runs';
import type { Evaluated, FinishReason, Plan, StepReport } from '../protocol/events';
import { write, type Storage } from './database';
import type { RunCurves, StoredRun } from './schema';

const RUN_STORES = ['runs', 'runDetails', 'runCurves', 'runData', 'checkpoints'] as const;

export async function saveRun(db: Storage, run: StoredRun): Promise<void> {
  const { settings, plan, baseHash, data, history, ...summary } = run;
  const rows = [data.train, data.validation];
  const needed = rows.reduce((sum, packed) => sum + packed.ids.byteLength * 3, 0);
  await write(db, [...RUN_STORES], { what: `the run ${run.name}`, needed }, async (transaction) => {
    await transaction.objectStore('runs').put(summary);
    await transaction
      .objectStore('runDetails')
      .put({ id: run.id, settings, plan, ...(baseHash === undefined ? {} : { baseHash }) });
    await transaction.objectStore('runCurves').put({ id: run.id, ...history });
    await transaction.objectStore('runData').put({ id: run.id, data });
  });
}

export async function loadRun(db: Storage, id: string): Promise<StoredRun> {
  const transaction = db.transaction(RUN_STORES);
  const [summary, details, curves, rows] = await Promise.all([
    transaction.objectStore('runs').get(id),
    transaction.objectStore('runDetails').get(id),
    transaction.objectStore('runCurves').get(id),
    transaction.objectStore('runData').get(id),
  ]);
  if (!summary || !details || !curves || !rows) throw new Error(`There is no stored run ${id}.`);
  const { steps, evaluations, finished } = curves;
  return {
    ...summary,
    settings: details.settings,
    plan: details.plan,
    ...(details.baseHash === undefined ? {} : { baseHash: details.baseHash }),
    data: rows.data,
    history: { steps, evaluations, finished },
  };
}

/** Newest first. */
export async function listRuns(db: Storage): Promise<RunSummary[]> {
  const runs = await db.getAll('runs');
  return runs.sort((a, b) => b.created - a.created);
}

export interface RunChanges {
  status?: RunSummary['status'];
  name?: string;
  step?: number;
  steps?: number;
  bestLoss?: number | null;
  adapterId?: string | null;
  plan?: Plan;
  finished?: FinishReason | null;
}

export async function updateRun(db: Storage, id: string, changes: RunChanges): Promise<void> {
  const { plan, finished, ...ofSummary } = changes;
  await write(db, [...RUN_STORES], { what: 'the state of a run', needed: 1000 }, async (transaction) => {
    const summary = await transaction.objectStore('runs').get(id);
    if (!summary) throw new Error(`There is no stored run ${id}.`);
    await transaction.objectStore('runs').put({ ...summary, ...ofSummary });
    const details = await transaction.objectStore('runDetails').get(id);
    if (plan && details) await transaction.objectStore('runDetails').put({ ...details, plan });
    const curves = await transaction.objectStore('runCurves').get(id);
    if (finished !== undefined && curves) {
      await transaction.objectStore('runCurves').put({ ...curves, finished });
    }
  });
}

/**
 * Adds points to a run's curves. Steps that are done again after going on from a checkpoint replace the old ones and all
 * that came after them.
 */
export async function appendCurve(
  db: Storage,
  id: string,
  points: { steps: StepReport[]; evaluations: Evaluated[] },
): Promise<void> {
  const needed = 200 * (points.steps.length + points.evaluations.length);
  await write(db, ['runs', 'runCurves'], { what: 'the curves of a run', needed }, async (transaction) => {
    const curves = await transaction.objectStore('runCurves').get(id);
    const summary = await transaction.objectStore('runs').get(id);
    if (!curves || !summary) throw new Error(`There is no stored run ${id}.`);
    const joined = joinCurves(curves, points);
    await transaction.objectStore('runCurves').put({ id, ...joined });
    await transaction.objectStore('runs').put({
      ...summary,
      step: joined.steps.at(-1)?.step ?? summary.step,
      bestLoss: bestLoss(joined.evaluations),
    });
  });
}

export async function deleteRun(db: Storage, id: string): Promise<void> {
  await write(db, [...RUN_STORES], { what: 'deleting a run', needed: 0 }, async (transaction) => {
    await transaction.objectStore('runs').delete(id);
    await transaction.objectStore('runDetails').delete(id);
    await transaction.objectStore('runCurves').delete(id);
    await transaction.objectStore('runData').delete(id);
    await transaction.objectStore('checkpoints').delete(IDBKeyRange.bound([id], [id, Infinity]));
  });
}

function joinCurves(curves: RunCurves, points: { steps: StepReport[]; evaluations: Evaluated[] }): RunCurves {
  const from = Math.min(points.steps[0]?.step ?? Infinity, points.evaluations[0]?.step ?? Infinity);
  return {
    steps: [...curves.steps.filter(({ step }) => step < from), ...points.steps],
    evaluations: [...curves.evaluations.filter(({ step }) => step < from), ...points.evaluations],
    finished: curves.finished,
  };
}

function bestLoss(evaluations: Evaluated[]): number | null {
  return evaluations.length === 0 ? null : Math.min(...evaluations.map(({ loss }) => loss));
}
