/**
 * A whole run: steps, checks on held-out rows, checkpoints, pause and stop. Takes the model, data, `emit` and `save` as arguments;
 * knows nothing of threads, storage or screens. A run that goes on from a checkpoint gives the losses of one that never stopped.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Trainable } from '../adapter/trainable';
import { orderFreeBuffers } from '../gpu/tensors';
import { allocatedBytes } from '../gpu/memory';
import { ReadRing } from '../gpu/readRing';
import { refill } from '../gpu/refill';
import type { ModelConfig } from '../model/config';
import type { Runnable } from '../model/forward';
import { rotaryTables } from '../model/rotary';
import { adamw, gradientNorm } from '../ops/flat';
import type { PackedRows } from '../protocol/data';
import type { FinishReason, Plan, RunEvent } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import { disposeBatch, makeBatch, supervisedIn, type Batch } from './batch';
import { chunkRows } from './chunkRows';
import { heldOutLoss } from './heldOut';
import { dropoutSeedOf, planSteps, rowsOfStep } from './order';
import { microRows } from './plan';
import { MicroBatches } from './microBatches';
import { learningRateAt } from './schedule';
import { freshWatch, watchLoss, type Watch } from './stopping';

/** Everything that a run needs to go on. Numbers lie as in the trainable's flat buffers. */
export interface Checkpoint {
  /** Steps done. */
  step: number;
  parameters: Float32Array;
  mean: Float32Array;
  square: Float32Array;
  /** Parameters with the lowest held-out loss; null before the first check. */
  best: Float32Array | null;
  watch: Watch;
}

export interface RunControl {
  readonly stopRequested: boolean;
  readonly pauseRequested: boolean;
  /** Resolves when the pause ends. */
  resumed(): Promise<void>;
}

export interface RunRequest {
  config: ModelConfig;
  trainable: Trainable;
  settings: Settings;
  train: PackedRows;
  validation: PackedRows;
  plan: Plan;
  from: Checkpoint | null;
  control: RunControl;
  emit(event: Exclude<RunEvent, { type: 'finished' | 'planned' | 'loading' }>): void;
  /** Stores a checkpoint; a failure to store must not end the run, so it does not throw. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** Called when a step's results are about to be read; see `restful`. */
  waitFor?: (results: () => Promise<unknown>) => Promise<unknown>;
  /** Throws when the device reported an error. */
  check(): void;
}

export interface RunOutcome {
  reason: FinishReason;
  /** The best parameters by held-out loss, or the last ones where nothing was held out; then `reason` is not 'not-finite'. */
  parameters: Float32Array;
  watch: Watch;
  lastStep: number;
  peakBytes: number;
}

/** Steps recorded beyond the one whose numbers are awaited: the GPU always has work, and a pause is not far. */
const STEPS_AHEAD = 1;

interface StepUnderWay {
  step: number;
  learningRate: number;
  supervised: number;
  tokens: number;
  /** [scale, norm, finite] of the gradient, then Σ logp of each micro-batch */
  numbers: Promise<Float32Array>;
}

export class NotFinite extends Error {
  constructor(
    readonly step: number,
    learningRate: number,
  ) {
    super(
      `The gradient of step ${step} is not a finite number (learning rate ${learningRate.toExponential(1)}). ` +
        'Nothing of it was applied. Try a lower learning rate.',
    );
  }
}

export async function trainRun(request: RunRequest): Promise<RunOutcome> {
  const { config, trainable, settings, train, validation, control, emit } = request;
  const { flat } = trainable;
  if (request.from) flat.write(request.from);
  const steps = planSteps(settings, train);
  const rowsAtOnce = microRows(train.length, steps.rowsPerStep);
  const tables = rotaryTables(config, Math.max(train.length, validation.length));
  const own = runnable(config, trainable);
  const chunk = chunkRows(config.vocab, rowsAtOnce * train.length);
  const ring = new ReadRing(3 + Math.ceil(steps.rowsPerStep / rowsAtOnce), STEPS_AHEAD + 1);
  const flight: StepUnderWay[] = [];
  const passes = new MicroBatches(config, trainable, settings);
  let batch: Batch | undefined;
  let dropoutSeed: tf.Tensor | undefined;
  let lastStepTime = 0;
  let lastEnd = performance.now();
  let watch = request.from?.watch ?? freshWatch();
  let best = request.from?.best ?? null;
  let checkedAt = 0;
  let step = request.from?.step ?? 0;
  let reason: FinishReason = 'completed';
  let peakBytes = 0;

  try {
    while (step < steps.steps) {
      if (control.stopRequested) {
        reason = 'stopped';
        await finishSteps(0);
        if (step !== checkedAt) {
          passes.forget();
          await checkHeldOut();
        }
        break;
      }
      if (control.pauseRequested) {
        await finishSteps(0);
        await keep();
        passes.forget();
        emit({ type: 'paused', step });
        await control.resumed();
        lastEnd = performance.now();
        emit({ type: 'resumed', step });
        continue;
      }
      recordStep();
      const last = step === steps.steps;
      const checks = step % settings.evaluateEvery === 0 || last;
      await finishSteps(checks ? 0 : STEPS_AHEAD);
      peakBytes = Math.max(peakBytes, allocatedBytes());
      request.check();
      if (checks) {
        passes.forget();
        const stop = await checkHeldOut();
        await keep();
        lastEnd = performance.now();
        if (stop && !last) {
          reason = 'early-stop';
          break;
        }
      }
    }
    await finishSteps(0);
    request.check();
    const parameters = best ?? Float32Array.from(await flat.state.parameters.data());
    return { reason, parameters, watch, lastStep: step, peakBytes };
  } catch (error) {
    if (!(error instanceof NotFinite) || best === null) throw error;
    emit({ type: 'warning', message: error.message });
    return { reason: 'not-finite', parameters: best, watch, lastStep: error.step - 1, peakBytes };
  } finally {
    await Promise.allSettled(flight.map(({ numbers }) => numbers));
    ring.dispose();
    passes.forget();
    tf.dispose([tables, dropoutSeed ?? []]);
    if (batch) disposeBatch(batch);
  }

  /** Hands a step's work to the GPU without waiting for it. */
  function recordStep(): void {
    const rows = rowsOfStep(train.rows, steps, step, settings.seed);
    const supervised = supervisedIn(train, rows);
    const sums: tf.Tensor[] = [];
    for (let at = 0; at < rows.length; at += rowsAtOnce) {
      const micro = rows.slice(at, at + rowsAtOnce);
      batch = makeBatch(train, micro, rowsAtOnce, 1 / supervised, config, tables, chunk, batch);
      if (settings.dropout > 0) {
        const seed = dropoutSeedOf(steps, step, at, settings.seed);
        dropoutSeed = refill(dropoutSeed, Int32Array.of(seed), [1]);
      }
      if (tf.getBackend() === 'webgpu') orderFreeBuffers();
      sums.push(tf.sum(passes.run(batch, dropoutSeed ?? null)));
    }
    const learningRate = learningRateAt(settings, step, steps.steps);
    const norm = gradientNorm(flat.state, settings.clip);
    const { beta1, beta2, epsilon, weightDecay } = settings;
    adamw(flat.state, norm, { learningRate, beta1, beta2, epsilon, weightDecay, update: step + 1 });
    step++;
    const tokens = rows.length * train.length;
    flight.push({ step, learningRate, supervised, tokens, numbers: ring.read([norm, ...sums]) });
  }

  /** Reports steps in order until only `ahead` of them are still under way. */
  async function finishSteps(ahead: number): Promise<void> {
    while (flight.length > ahead) {
      const [first] = flight;
      if (!first) return;
      const { learningRate, supervised, tokens } = first;
      await request.waitFor?.(() => first.numbers);
      const [, gradientLength = NaN, finite, ...sums] = await first.numbers;
      flight.shift();
      const loss = -sums.reduce((total, sum) => total + sum, 0) / supervised;
      if (finite !== 1 || !Number.isFinite(loss)) throw new NotFinite(first.step, learningRate);
      const now = performance.now();
      lastStepTime = now - lastEnd;
      lastEnd = now;
      emit({
        type: 'step',
        report: {
          step: first.step,
          steps: steps.steps,
          epoch: first.step / steps.stepsPerEpoch,
          loss,
          learningRate,
          gradientNorm: gradientLength,
          supervised,
          tokens,
          stepTime: lastStepTime,
        },
      });
    }
  }

  async function checkHeldOut(): Promise<boolean> {
    checkedAt = step;
    const loss = await heldOutLoss(own, validation, rowsAtOnce, tables);
    if (loss === null) return false;
    const result = watchLoss(watch, step, loss, settings);
    watch = result.watch;
    if (result.best) best = Float32Array.from(await readNow(flat.state.parameters));
    emit({ type: 'evaluated', report: { step, loss, best: result.best } });
    return result.stop;
  }

  async function keep(): Promise<void> {
    await request.save({ step, ...(await flat.read()), best, watch });
  }
}

async function readNow(tensor: tf.Tensor): Promise<Float32Array> {
  return (await tensor.data<'float32'>()).slice();
}

/** The model with what is being trained put in, as it is now. */
export function runnable(config: ModelConfig, trainable: Trainable): Runnable {
  const at = (block: Trainable['blocks'][number]) => trainable.flat.tensor(block);
  return {
    config,
    get outside() {
      return trainable.outside(at);
    },
    layer: (index) => trainable.layer(index, at, null),
  };
}
