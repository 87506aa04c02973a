/**
 * A whole run: steps, checks on held-out rows, checkpoints, pause and stop. Takes the model, data, `emit` and `save` as arguments;
 * knows nothing of threads, storage or screens. A run that goes on from a checkpoint gives the losses of one that never stopped.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Trainable } from '../adapter/trainable';
import { allocatedBytes } from '../gpu/memory';
import type { ModelConfig } from '../model/config';
import type { Runnable } from '../model/forward';
import { rotaryTable } from '../model/rotary';
import { adamw, gradientNorm } from '../ops/flat';
import type { PackedRows } from '../protocol/data';
import type { FinishReason, Plan, RunEvent } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import type { Milliseconds } from '../units';
import { disposeBatch, makeBatch, supervisedIn } from './batch';
import { heldOutLoss } from './heldOut';
import { planSteps, rowsOfStep } from './order';
import { microRows } from './plan';
import { learningRateAt } from './schedule';
import { forwardBackward } from './step';
import { forwardBackwardWhole } from './wholeStep';
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
  /** Called with the expected time when a step's results are about to be read; see `restBeforeRead`. */
  beforeRead?: (expected: Milliseconds) => Promise<void>;
  /** Throws when the device reported an error. */
  check(): void;
}

export interface RunOutcome {
  reason: FinishReason;
  /** The best parameters by held-out loss, or the last ones where nothing was held out. */
  parameters: Float32Array;
  watch: Watch;
  lastStep: number;
  peakBytes: number;
}

export class NotFinite extends Error {
  constructor(
    readonly step: number,
    learningRate: number,
  ) {
    super(
      `The gradient of step ${step} is not a finite number (learning rate ${learningRate.toExponential(1)}). ` +
        'Nothing of it was applied; the best adapter so far is kept. Try a lower learning rate.',
    );
  }
}

export async function trainRun(request: RunRequest): Promise<RunOutcome> {
  const { config, trainable, settings, train, validation, control, emit } = request;
  const { flat } = trainable;
  if (request.from) flat.write(request.from);
  const steps = planSteps(settings, train);
  const rowsAtOnce = microRows(train.length, steps.rowsPerStep);
  const table = rotaryTable(config, Math.max(train.length, validation.length));
  const own = runnable(config, trainable);
  const pass = settings.recompute ? forwardBackward : forwardBackwardWhole;
  let lastStepTime = 0;
  let watch = request.from?.watch ?? freshWatch();
  let best = request.from?.best ?? null;
  let step = request.from?.step ?? 0;
  let reason: FinishReason = 'completed';
  let peakBytes = 0;

  try {
    while (step < steps.steps) {
      if (control.stopRequested) {
        reason = 'stopped';
        break;
      }
      if (control.pauseRequested) {
        await keep();
        emit({ type: 'paused', step });
        await control.resumed();
        emit({ type: 'resumed', step });
        continue;
      }
      await oneStep();
      peakBytes = Math.max(peakBytes, allocatedBytes());
      request.check();
      const last = step === steps.steps;
      if (step % settings.evaluateEvery === 0 || last) {
        const stop = await checkHeldOut();
        await keep();
        if (stop && !last) {
          reason = 'early-stop';
          break;
        }
      }
    }
    const parameters = best ?? Float32Array.from(await flat.state.parameters.data());
    return { reason, parameters, watch, lastStep: step, peakBytes };
  } finally {
    table.dispose();
  }

  async function oneStep(): Promise<void> {
    const started = performance.now();
    const rows = rowsOfStep(train.rows, steps, step, settings.seed);
    const supervised = supervisedIn(train, rows);
    const seed = settings.dropout > 0 ? tf.tensor1d([settings.seed + step * 31], 'int32') : null;
    const sums: tf.Tensor[] = [];
    for (let at = 0; at < rows.length; at += rowsAtOnce) {
      const micro = rows.slice(at, at + rowsAtOnce);
      const batch = makeBatch(train, micro, rowsAtOnce, 1 / supervised, config.slidingWindow, table);
      const { logp } = pass(config, trainable, batch, seed);
      sums.push(tf.tidy(() => tf.sum(logp)));
      logp.dispose();
      disposeBatch(batch);
    }
    const learningRate = learningRateAt(settings, step, steps.steps);
    const norm = gradientNorm(flat.state, settings.clip);
    const { beta1, beta2, epsilon, weightDecay } = settings;
    adamw(flat.state, norm, { learningRate, beta1, beta2, epsilon, weightDecay, update: step + 1 });
    await request.beforeRead?.(lastStepTime);
    const [numbers, ...parts] = await Promise.all([norm.data(), ...sums.map((sum) => sum.data())]);
    tf.dispose([norm, ...sums]);
    seed?.dispose();
    const loss = -parts.reduce((sum, part) => sum + (part[0] ?? NaN), 0) / supervised;
    if (numbers[2] !== 1 || !Number.isFinite(loss)) throw new NotFinite(step + 1, learningRate);
    step++;
    lastStepTime = performance.now() - started;
    emit({
      type: 'step',
      report: {
        step,
        steps: steps.steps,
        epoch: step / steps.stepsPerEpoch,
        loss,
        learningRate,
        gradientNorm: numbers[1] ?? NaN,
        supervised,
        tokens: rows.length * train.length,
        stepTime: lastStepTime,
      },
    });
  }

  async function checkHeldOut(): Promise<boolean> {
    const loss = await heldOutLoss(own, validation, rowsAtOnce, table);
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
  const at = (slot: Trainable['slots'][number]) => trainable.flat.tensor(slot);
  return {
    config,
    get outside() {
      return trainable.outside(at);
    },
    layer: (index) => trainable.layer(index, at, null),
  };
}
