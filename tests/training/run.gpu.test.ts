/** Claims about whole runs, on a tiny model with real gradients. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { loadWeights } from '../../src/model/loadWeights';
import { type ModelWeights } from '../../src/model/weights';
import type { PackedRows } from '../../src/protocol/data';
import { parseSettings, type Settings } from '../../src/protocol/settings';
import { rotaryTables } from '../../src/model/rotary';
import { relativeL2 } from '../../src/selftest/distance';
import { disposeBatch, makeBatch } from '../../src/training/batch';
import { forwardBackward } from '../../src/training/step';
import { planRun } from '../../src/training/plan';
import { sourceOfFolder } from '../checkpoint/folder';
import { trainRun, type Checkpoint } from '../../src/training/run';

const folder = 'tests/fixtures/models/llama';
let engine: Engine;
let config: ModelConfig;
let weights: ModelWeights;
beforeAll(async () => {
  engine = await startEngine();
  config = readConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')));
  weights = await loadWeights(config, await sourceOfFolder(folder), 'f32');
});

/** Six rows of 32 tokens, two documents each; what is learned follows from what was read, so that the loss can fall. */
function rows(seed: number): PackedRows {
  const length = 32;
  const count = 6;
  const ids = Int32Array.from({ length: length * count }, (_, i) => ((i * 7 + seed) % 13) + 20);
  const targets = ids.map((_, i) => (i % 16 === 15 ? -1 : (ids[i + 1] ?? -1)));
  const documentStart = ids.map((_, i) => (i % length < 16 ? 0 : 16));
  const supervised = targets.filter((target) => target >= 0).length;
  return { length, rows: count, ids, targets, documentStart, examples: 2 * count, supervised };
}

const settings = (changes: Partial<Settings> = {}) =>
  parseSettings({
    rank: 4,
    alpha: 8,
    epochs: 4,
    batchExamples: 4,
    learningRate: 5e-3,
    warmupSteps: 2,
    evaluateEvery: 4,
    patience: 0,
    weightFormat: 'f32',
    ...changes,
  });

async function run(chosen: Settings, from: Checkpoint | null = null, stopAt = Infinity) {
  const losses: number[] = [];
  const saved: Checkpoint[] = [];
  const trainable = loraTrainable(config, weights, specOf(chosen, config), { seed: 3 });
  const [train, validation] = [rows(1), rows(2)];
  const control = {
    get stopRequested() {
      return losses.length >= stopAt;
    },
    pauseRequested: false,
    resumed: () => Promise.resolve(),
  };
  const outcome = await trainRun({
    config,
    trainable,
    settings: chosen,
    train,
    validation,
    plan: planRun(config, chosen, train, { backend: 'webgpu', device: '' }),
    from,
    control,
    emit: (event) => {
      if (event.type === 'step') losses.push(event.report.loss);
    },
    save: (checkpoint) => {
      saved.push(checkpoint);
      return Promise.resolve();
    },
    check: () => engine.check(),
  });
  trainable.flat.dispose();
  return { losses, saved, outcome };
}

it('the loss falls', async () => {
  const { losses } = await run(settings());
  expect(losses).toHaveLength(12);
  expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) * 0.9);
});

it('going on from a checkpoint gives bit for bit the losses and adapter of a run that never stopped', async () => {
  const chosen = settings({ dropout: 0.1 });
  const whole = await run(chosen);
  const first = await run(chosen, null, 5);
  const checkpoint = first.saved.at(-1);
  if (!checkpoint) throw new Error('No checkpoint was saved.');
  expect(checkpoint.step).toBe(4);
  const second = await run(chosen, checkpoint);
  expect(second.losses).toEqual(whole.losses.slice(4));
  expect(second.outcome.parameters).toEqual(whole.outcome.parameters);
});

it('a run that is stopped between two checks is checked where it stops, and what it learned up to there counts', async () => {
  const { outcome } = await run(settings({ evaluateEvery: 100 }), null, 7);
  expect(outcome.reason).toBe('stopped');
  expect(outcome.lastStep).toBeGreaterThanOrEqual(7);
  expect(outcome.watch.bestStep).toBe(outcome.lastStep);
  expect(outcome.watch.bestLoss).toBeGreaterThan(0);
});

it('a gradient that overflows ends the run with the best parameters before it', async () => {
  // warm-up: a third of 1e25 in the first step; numbers that large overflow in the products of the third
  const wild = {
    ...settings({ evaluateEvery: 1, warmupSteps: 3, schedule: 'constant' }),
    learningRate: 1e25,
  };
  const { outcome, saved } = await run(wild);
  expect(outcome.reason).toBe('not-finite');
  expect(saved.map(({ step }) => step)).toEqual([1, 2]);
  expect(outcome.lastStep).toBe(2);
  expect(outcome.parameters).toEqual(saved.at(-1)?.best);
});

it('a gradient that overflows before any check is an error', async () => {
  const wild = {
    ...settings({ evaluateEvery: 100, warmupSteps: 3, schedule: 'constant' }),
    learningRate: 1e25,
  };
  await expect(run(wild)).rejects.toThrow('The gradient of step 3 is not a finite number');
});

it('keeping everything gives the losses of recomputing', async () => {
  const recomputed = await run(settings({ keptLayers: 0 }));
  const kept = await run(settings({ keptLayers: 1000 }));
  kept.losses.forEach((loss, index) => expect(loss).toBeCloseTo(recomputed.losses[index] ?? NaN, 4));
});

it('inputs that wait as half floats change losses in the third digit at most', async () => {
  const exact = await run(settings());
  const halves = await run(settings({ halfInputs: true }));
  // the loss of the first step was there before anything was read back
  expect(halves.losses[0]).toBe(exact.losses[0]);
  expect(halves.losses.slice(1)).not.toEqual(exact.losses.slice(1));
  halves.losses.forEach((loss, index) =>
    expect(Math.abs(loss / (exact.losses[index] ?? NaN) - 1)).toBeLessThan(2e-3),
  );
});

it('inputs that wait as half floats leave gradients right to about three digits', async () => {
  const chosen = settings();
  const train = rows(1);
  const tables = rotaryTables(config, train.length);
  const batch = makeBatch(train, [0, 1], 2, 1 / 60, config, tables, 64);
  const gradientOf = async (halfInputs: boolean) => {
    const trainable = loraTrainable(config, weights, specOf(chosen, config), { seed: 3 });
    const { logp } = forwardBackward(config, trainable, batch, null, { keptLayers: 0, halfInputs });
    const gradient = Float32Array.from(await trainable.flat.state.gradient.data());
    logp.dispose();
    trainable.flat.dispose();
    return gradient;
  };
  const off = relativeL2(await gradientOf(true), await gradientOf(false));
  console.log(`gradients with half inputs: ${off.toExponential(1)} away`);
  expect(off).toBeGreaterThan(1e-6);
  expect(off).toBeLessThan(2e-3);
  disposeBatch(batch);
});

it('micro-batches that do not divide the step give the loss of one batch', async () => {
  // 12 examples in 6 rows: batchExamples 12 is one step of 6 rows; its loss is the mean over all supervised tokens
  const { losses } = await run(settings({ batchExamples: 12, learningRate: 1e-6, epochs: 1 }));
  const single = await run(settings({ batchExamples: 2, learningRate: 1e-9, epochs: 1 }));
  const mean = single.losses.reduce((sum, loss) => sum + loss, 0) / single.losses.length;
  expect(losses[0]).toBeCloseTo(mean, 4);
});
