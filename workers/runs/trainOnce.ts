/** One try at a run on the device that is there: programs, weights, steps, checkpoints, and the best adapter put on the shelf. */
import { fullTrainable } from '../../src/adapter/full';
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { slotsOf, type Trainable } from '../../src/adapter/trainable';
import { emptyPool } from '../../src/gpu/tensors';
import { warningsOf } from '../../src/protocol/detours';
import type { RunEvent } from '../../src/protocol/events';
import { loadCheckpoint, saveCheckpoint } from '../../src/storage/checkpoints';
import type { Storage } from '../../src/storage/database';
import { appendCurve, updateRun } from '../../src/storage/runs';
import type { StoredRun } from '../../src/storage/schema';
import { trainRun, type Checkpoint, type RunOutcome } from '../../src/training/run';
import { adapterOf } from '../adapters/adapterOf';
import { packCheckpoint, unpackCheckpoint } from './checkpointBytes';
import type { Control } from './control';
import { CurvePoints } from './curvePoints';
import type { Library } from '../models/library';
import type { OpenModel } from '../models/modelFiles';
import { whileTakingIn } from '../threads/locks';
import { machine } from '../device/machine';
import { beginPrograms } from './programs';
import { planHere } from './runPlan';
import { savedOrSaid } from './savedOrSaid';
import type { Shelf } from '../adapters/shelf';
import type { Tuning } from '../device/tuning';
import type { Verdicts } from '../device/verdicts';

/** What a run is done with. */
export interface RunParts {
  db: Storage;
  library: Library;
  shelf: Shelf;
  tuning: Tuning;
  verdicts: Verdicts;
}

/** `kept`: the run has a record in the database, and checkpoints are stored with it. */
export interface RunWork {
  run: StoredRun;
  kept: boolean;
  control: Control;
  emit: (event: RunEvent) => void;
}

export async function trainOnce(parts: RunParts, work: RunWork): Promise<void> {
  const { library, tuning } = parts;
  const { run, emit } = work;
  const { modelId, settings, data } = run;
  const { config } = await library.files(modelId);
  const weightFormat =
    settings.method === 'full' ? 'f32' : await library.formatOf(modelId, settings.weightFormat);
  // what is fastest decides which programs a step runs
  await tuning.ready(weightFormat, () =>
    emit({ type: 'loading', what: 'the fastest kernels for this graphics card', done: 0, total: 1 }),
  );
  const own = { config, settings: { ...settings, weightFormat }, ...data };
  const programs = await beginPrograms(own, emit);
  const progress = (done: number, total: number) =>
    emit({ type: 'loading', what: run.modelName, done, total });
  await library.use(
    modelId,
    settings.weightFormat,
    (model) => trainOn(parts, work, model, programs),
    progress,
  );
}

async function trainOn(
  parts: RunParts,
  work: RunWork,
  { config, weights, source }: OpenModel,
  programs: () => Promise<void>,
): Promise<void> {
  const { db, verdicts } = parts;
  const { run, kept, control, emit } = work;
  const started = performance.now();
  const { checkpoint, skipped } = kept ? await loadCheckpoint(db, run.id) : { checkpoint: null, skipped: [] };
  for (const message of skipped) emit({ type: 'warning', message });
  const engine = await machine();
  await programs();
  const plan = await planHere(run, config);
  emit({ type: 'planned', runId: run.id, plan });
  for (const message of warningsOf(plan.detours ?? [], verdicts.current)) emit({ type: 'warning', message });
  const spec = specOf(run.settings, config);
  const trainable: Trainable =
    run.settings.method === 'full'
      ? await fullTrainable(config, source)
      : loraTrainable(config, weights, spec, { seed: run.settings.seed });
  const curve = new CurvePoints();
  try {
    const outcome = await trainRun({
      config,
      trainable,
      settings: run.settings,
      train: run.data.train,
      validation: run.data.validation,
      plan,
      from: checkpoint ? unpackCheckpoint(checkpoint) : null,
      control,
      emit: (event) => {
        curve.note(event);
        emit(event);
      },
      save: async (point: Checkpoint) => {
        if (!kept) return;
        const done = await savedOrSaid(emit, async () => {
          await saveCheckpoint(db, run.id, packCheckpoint(point));
          await curve.storeWith((points) => appendCurve(db, run.id, points));
        });
        if (done) emit({ type: 'saved', step: point.step, at: Date.now() });
      },
      check: () => engine.check(),
    });
    if (kept) await savedOrSaid(emit, () => curve.storeWith((points) => appendCurve(db, run.id, points)));
    await finish(parts, work, trainable, outcome, started);
  } finally {
    trainable.flat.dispose();
    // what follows, answers above all, has other sizes: a step's buffers would lie there unused
    emptyPool();
  }
}

async function finish(
  { db, library, shelf }: RunParts,
  work: RunWork,
  trainable: Trainable,
  outcome: RunOutcome,
  started: number,
): Promise<void> {
  const { run, emit } = work;
  const { config, summary } = await library.files(run.modelId);
  const { settings } = run;
  if (outcome.lastStep === 0) return close(db, work, outcome, { adapterId: null }, started);
  if (settings.method === 'full') {
    const trained = await whileTakingIn(() =>
      library.keepTrained(run.modelId, run.name, slotsOf(trainable.blocks), outcome.parameters),
    );
    await close(db, work, outcome, { adapterId: null, modelId: trained }, started);
    return;
  }
  const made = adapterOf(run, summary, config, trainable.blocks, outcome);
  await savedOrSaid(emit, () => shelf.put(made));
  await close(db, work, outcome, { adapterId: made.summary.id }, started);
}

async function close(
  db: Storage,
  { run, kept, emit }: RunWork,
  outcome: RunOutcome,
  made: { adapterId: string | null; modelId?: string },
  started: number,
): Promise<void> {
  const { bestLoss, bestStep } = outcome.watch;
  if (kept)
    await savedOrSaid(emit, () =>
      updateRun(db, run.id, {
        status: 'finished',
        step: outcome.lastStep,
        bestLoss,
        adapterId: made.adapterId,
        finished: outcome.reason,
      }),
    );
  emit({
    type: 'finished',
    reason: outcome.reason,
    ...made,
    best: bestLoss === null ? null : { step: bestStep, loss: bestLoss, best: true },
    peakBytes: outcome.peakBytes,
    seconds: (performance.now() - started) / 1000,
  });
}
