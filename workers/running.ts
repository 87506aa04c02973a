/** Runs from start to end, with everything that must survive: rows, curves, checkpoints, the best adapter. */
import { fullTrainable } from '../src/adapter/full';
import { loraTrainable } from '../src/adapter/lora';
import { specOf } from '../src/adapter/spec';
import { slotsOf, type Trainable } from '../src/adapter/trainable';
import { detoursInUse, wayOf } from '../src/ops/ways';
import type { TrainingData } from '../src/protocol/data';
import { warningsOf } from '../src/protocol/detours';
import type { Plan, RunEvent } from '../src/protocol/events';
import type { Settings } from '../src/protocol/settings';
import { loadCheckpoint, saveCheckpoint } from '../src/storage/checkpoints';
import type { Storage } from '../src/storage/database';
import { appendCurve, updateRun } from '../src/storage/runs';
import type { StoredRun } from '../src/storage/schema';
import { operationsOf } from '../src/training/operations';
import { planRun } from '../src/training/plan';
import { trainRun, type Checkpoint, type RunOutcome } from '../src/training/run';
import { adapterOf } from './adapterOf';
import { Control } from './control';
import { CurvePoints } from './curvePoints';
import { beginPrograms } from './programs';
import { packCheckpoint, unpackCheckpoint } from './checkpointBytes';
import { BadRequest, BusyElsewhere, failureOf } from './failures';
import { whileTakingIn } from './locks';
import type { Library, OpenModel } from './library';
import type { RunBook } from './runBook';
import { checkBase } from './sameBase';
import type { Shelf } from './shelf';
import { lossBehind, machine, restartMachine } from './machine';
import type { Tuning } from './tuning';
import type { Verdicts } from './verdicts';

type Emit = (event: RunEvent) => void;

export interface NewRun {
  modelId: string;
  name: string;
  settings: Settings;
  data: TrainingData;
}

/** A second loss of the device within this time ends the run instead of trying again. */
const LOSS_PAUSE = 120_000;

export class Runs {
  #db: Storage;
  #book: RunBook;
  #library: Library;
  #shelf: Shelf;
  #tuning: Tuning;
  #verdicts: Verdicts;
  #control: Control | null = null;

  constructor(
    db: Storage,
    book: RunBook,
    library: Library,
    shelf: Shelf,
    tuning: Tuning,
    verdicts: Verdicts,
  ) {
    this.#db = db;
    this.#book = book;
    this.#library = library;
    this.#shelf = shelf;
    this.#tuning = tuning;
    this.#verdicts = verdicts;
  }

  async start(request: NewRun, emit: Emit): Promise<void> {
    await this.#guarded(emit, async () => {
      if (request.data.train.supervised === 0)
        throw new BadRequest('No token of these rows would be learned. Check that the rows have answers.');
      const { config, summary, source, hash } = await this.#library.files(request.modelId);
      if (request.settings.method === 'full' && source.rounded !== null)
        throw new BadRequest(
          `${summary.name} is kept as ${source.rounded}: its weights are rounded, and training all of them would start from the rounding. Train an adapter, or add the model as f16.`,
        );
      // what was packed into fewer bits is trained on as it is; the run's record says so
      const weightFormat = await this.#library.formatOf(request.modelId, request.settings.weightFormat);
      const settings = { ...request.settings, weightFormat };
      const plan = await this.#plan({ settings, data: request.data }, config);
      const run: StoredRun = {
        id: crypto.randomUUID(),
        name: request.name,
        modelId: request.modelId,
        modelName: summary.name,
        datasetName: request.data.name,
        created: Date.now(),
        status: 'unfinished',
        step: 0,
        steps: plan.steps,
        bestLoss: null,
        adapterId: null,
        settings,
        data: request.data,
        plan,
        baseHash: await hash(),
        history: { steps: [], evaluations: [], finished: null },
      };
      const kept = await this.#keep(emit, () => this.#book.add(run));
      await this.#locked(run.id, () => this.#train(run, kept, emit));
    });
  }

  async goOn(runId: string, emit: Emit): Promise<void> {
    await this.#guarded(emit, () =>
      this.#locked(runId, async () => {
        const run = await this.#book.find(runId);
        await checkBase(this.#library, run);
        await this.#train(run, true, emit);
      }),
    );
  }

  pause(): void {
    this.#control?.pause();
  }
  resume(): void {
    this.#control?.resume();
  }
  stop(): void {
    this.#control?.stop();
  }

  async #plan(
    request: Pick<NewRun, 'settings' | 'data'>,
    config: Parameters<typeof planRun>[0],
  ): Promise<Plan> {
    const { backend, gpu } = await machine();
    const needed = operationsOf(request.settings);
    // fails before anything is loaded where the device computes one of them wrongly in every way
    needed.forEach(wayOf);
    const detours = detoursInUse().filter(({ operation }) => needed.includes(operation));
    return planRun(config, request.settings, request.data.train, {
      ...{ backend, device: gpu?.name ?? 'the processor' },
      ...(detours.length > 0 ? { detours } : {}),
    });
  }

  async #guarded(emit: Emit, work: () => Promise<void>): Promise<void> {
    if (this.#control) {
      const message = 'A run is in progress in this tab. Stop it or wait for its end.';
      emit({ type: 'failed', failure: { kind: 'busy-elsewhere', message } });
      return;
    }
    this.#control = new Control();
    try {
      await work();
    } catch (error) {
      emit({ type: 'failed', failure: failureOf((await lossBehind(error)) ?? error) });
    } finally {
      this.#control = null;
    }
  }

  /** One tab at a time works on a run; the lock is free at once when a tab closes or crashes. */
  async #locked(runId: string, work: () => Promise<void>): Promise<void> {
    if (!('locks' in navigator)) return work();
    const taken = await navigator.locks.request(
      `loratory-run-${runId}`,
      { ifAvailable: true },
      async (lock) => {
        if (!lock) return false;
        await work();
        return true;
      },
    );
    if (!taken) throw new BusyElsewhere();
  }

  /** Trains, and once more on a new device if the first is lost. */
  async #train(run: StoredRun, kept: boolean, emit: Emit): Promise<void> {
    let lastLoss = -Infinity;
    for (;;) {
      try {
        return await this.#trainOnce(run, kept, emit);
      } catch (error) {
        const lost = await lossBehind(error);
        if (!lost) throw error;
        const soon = performance.now() - lastLoss < LOSS_PAUSE;
        this.#library.deviceGone();
        await restartMachine();
        if (lost.reason === 'destroyed' || soon || !kept) throw lost;
        lastLoss = performance.now();
        const message =
          'The graphics device was lost. The run goes on from its last checkpoint on a new one.';
        emit({ type: 'warning', message, failure: failureOf(lost) });
      }
    }
  }

  async #trainOnce(run: StoredRun, kept: boolean, emit: Emit): Promise<void> {
    const { modelId, settings, data } = run;
    const { config } = await this.#library.files(modelId);
    const weightFormat =
      settings.method === 'full' ? 'f32' : await this.#library.formatOf(modelId, settings.weightFormat);
    // what is fastest decides which programs a step runs
    await this.#tuning.ready(weightFormat, () =>
      emit({ type: 'loading', what: 'the fastest kernels for this graphics card', done: 0, total: 1 }),
    );
    const own = { config, settings: { ...settings, weightFormat }, ...data };
    const programs = await beginPrograms(own, emit);
    const progress = (done: number, total: number) =>
      emit({ type: 'loading', what: run.modelName, done, total });
    await this.#library.use(
      modelId,
      settings.weightFormat,
      (model) => this.#trainOn(model, run, kept, emit, programs),
      progress,
    );
  }

  async #trainOn(
    model: OpenModel,
    run: StoredRun,
    kept: boolean,
    emit: Emit,
    programs: () => Promise<void>,
  ): Promise<void> {
    const control = this.#control ?? new Control();
    const started = performance.now();
    const { checkpoint, skipped } = kept
      ? await loadCheckpoint(this.#db, run.id)
      : { checkpoint: null, skipped: [] };
    for (const message of skipped) emit({ type: 'warning', message });
    const { config, weights } = model;
    const engine = await machine();
    await programs();
    const plan = await this.#plan(run, config);
    emit({ type: 'planned', runId: run.id, plan });
    for (const message of warningsOf(plan.detours ?? [], this.#verdicts.current))
      emit({ type: 'warning', message });
    const spec = specOf(run.settings, config);
    const trainable: Trainable =
      run.settings.method === 'full'
        ? await fullTrainable(config, model.source)
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
          const done = await this.#keep(emit, async () => {
            await saveCheckpoint(this.#db, run.id, packCheckpoint(point));
            await curve.storeWith((points) => appendCurve(this.#db, run.id, points));
          });
          if (done) emit({ type: 'saved', step: point.step, at: Date.now() });
        },
        check: () => engine.check(),
      });
      await this.#finish(run, kept, trainable, outcome, emit, started);
    } finally {
      trainable.flat.dispose();
    }
  }

  async #finish(
    run: StoredRun,
    kept: boolean,
    trainable: Trainable,
    outcome: RunOutcome,
    emit: Emit,
    started: number,
  ): Promise<void> {
    const { config, summary } = await this.#library.files(run.modelId);
    const { settings } = run;
    if (settings.method === 'full') {
      const trained = await whileTakingIn(() =>
        this.#library.keepTrained(run.modelId, run.name, slotsOf(trainable.blocks), outcome.parameters),
      );
      await this.#close(run, kept, outcome, { adapterId: null, modelId: trained }, emit, started);
      return;
    }
    const made = adapterOf(run, summary, config, trainable.blocks, outcome);
    await this.#keep(emit, () => this.#shelf.put(made));
    await this.#close(run, kept, outcome, { adapterId: made.summary.id }, emit, started);
  }

  async #close(
    run: StoredRun,
    kept: boolean,
    outcome: RunOutcome,
    made: { adapterId: string | null; modelId?: string },
    emit: Emit,
    started: number,
  ): Promise<void> {
    const { bestLoss, bestStep } = outcome.watch;
    if (kept)
      await this.#keep(emit, () =>
        updateRun(this.#db, run.id, {
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

  /** A full disk must not end a run: it is said, and training goes on in memory. */
  async #keep(emit: Emit, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== 'quota') throw error;
      const message = `${failure.message} Training goes on, but could not be saved.`;
      emit({ type: 'warning', message, failure });
      return false;
    }
  }
}
