/** Runs: begun, gone on with, paused and stopped; one at a time, whatever the tab, and once more after a lost device. */
import type { TrainingData } from '../../src/protocol/data';
import type { RunEvent } from '../../src/protocol/events';
import type { Settings } from '../../src/protocol/settings';
import type { StoredRun } from '../../src/storage/schema';
import { Control } from './control';
import { BadRequest, failureOf } from '../failures';
import { whileTraining } from '../threads/locks';
import { lossBehind, restartMachine } from '../device/machine';
import type { RunBook } from '../../src/storage/runBook';
import { planHere } from './runPlan';
import { checkBase } from './sameBase';
import { savedOrSaid } from './savedOrSaid';
import { trainOnce, type RunParts } from './trainOnce';

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
  #parts: RunParts;
  #book: RunBook;
  #control: Control | null = null;

  constructor(parts: RunParts, book: RunBook) {
    this.#parts = parts;
    this.#book = book;
  }

  async start(request: NewRun, emit: Emit): Promise<void> {
    await this.#guarded(emit, async () => {
      if (request.data.train.supervised === 0)
        throw new BadRequest('No token of these rows would be learned. Check that the rows have answers.');
      const { config, summary, source, hash } = await this.#parts.library.files(request.modelId);
      if (request.settings.method === 'full' && source.rounded !== null)
        throw new BadRequest(
          `${summary.name} is kept as ${source.rounded}: its weights are rounded, and training all of them would start from the rounding. Train an adapter, or add the model as f16.`,
        );
      // what was packed into fewer bits is trained on as it is; the run's record says so
      const { length } = request.data.train;
      if (length > config.contextLength)
        throw new BadRequest(
          `The sequence length is ${length} tokens, and ${summary.name} reads ${config.contextLength} at most. Set it to that or less.`,
        );
      const weightFormat = await this.#parts.library.formatOf(request.modelId, request.settings.weightFormat);
      const settings = { ...request.settings, weightFormat };
      const plan = await planHere({ settings, data: request.data }, config);
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
      const kept = await savedOrSaid(emit, () => this.#book.add(run));
      await this.#train(run, kept, emit);
    });
  }

  async goOn(runId: string, emit: Emit): Promise<void> {
    await this.#guarded(emit, async () => {
      const run = await this.#book.find(runId);
      await checkBase(this.#parts.library, run);
      await this.#train(run, true, emit);
    });
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

  async #guarded(emit: Emit, work: () => Promise<void>): Promise<void> {
    if (this.#control) {
      const message = 'A run is in progress in this tab. Stop it or wait for its end.';
      emit({ type: 'failed', failure: { kind: 'busy-elsewhere', message } });
      return;
    }
    this.#control = new Control();
    try {
      await whileTraining(work);
    } catch (error) {
      emit({ type: 'failed', failure: failureOf((await lossBehind(error)) ?? error) });
    } finally {
      this.#control = null;
    }
  }

  /** Trains, and once more on a new device if the first is lost. */
  async #train(run: StoredRun, kept: boolean, emit: Emit): Promise<void> {
    const control = this.#control ?? new Control();
    let lastLoss = -Infinity;
    for (;;) {
      try {
        return await trainOnce(this.#parts, { run, kept, control, emit });
      } catch (error) {
        const lost = await lossBehind(error);
        if (!lost) throw error;
        const soon = performance.now() - lastLoss < LOSS_PAUSE;
        this.#parts.library.deviceGone();
        await restartMachine();
        if (lost.reason === 'destroyed' || soon || !kept) throw lost;
        lastLoss = performance.now();
        const message =
          'The graphics device was lost. The run goes on from its last checkpoint on a new one.';
        emit({ type: 'warning', message, failure: failureOf(lost) });
      }
    }
  }
}
