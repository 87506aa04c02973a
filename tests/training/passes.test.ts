/** However many layers are kept for the way back, the gradients are the same, in every family, for adapters and all weights. */
import * as tf from '@tensorflow/tfjs-core';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { fullTrainable } from '../../src/adapter/full';
import { loraTrainable } from '../../src/adapter/lora';
import { slotsOf, type Trainable } from '../../src/adapter/trainable';
import { startEngine } from '../../src/gpu/backend';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { rotaryTables } from '../../src/model/rotary';
import { targetsOf } from '../../src/model/shapes';
import { loadWeights } from '../../src/model/loadWeights';
import { disposeWeights } from '../../src/model/weights';
import type { PackedRows } from '../../src/protocol/data';
import { disposeBatch, makeBatch } from '../../src/training/batch';
import { forwardBackward } from '../../src/training/step';
import { sourceOfFolder } from '../checkpoint/folder';
import { relativeL2 } from '../../src/selftest/distance';

const models = join(import.meta.dirname, '../fixtures/models');

/** Two documents in one row of 20 tokens: longer than the windows of 8. */
const packed: PackedRows = {
  length: 20,
  rows: 1,
  ids: Int32Array.from({ length: 20 }, (_, i) => (i * 37 + 11) % 384),
  targets: Int32Array.from({ length: 20 }, (_, i) => (i === 12 || i === 19 ? -1 : (i * 53 + 7) % 384)),
  documentStart: Int32Array.from({ length: 20 }, (_, i) => (i < 13 ? 0 : 13)),
  examples: 2,
  supervised: 18,
};

async function open(family: string) {
  const config = readConfig(JSON.parse(readFileSync(join(models, family, 'config.json'), 'utf8')));
  return { config, source: await sourceOfFolder(join(models, family)) };
}

beforeAll(async () => {
  await startEngine({ backend: 'cpu' });
});

async function lossAndGradient(config: ModelConfig, trainable: Trainable, kept = 0) {
  const tables = rotaryTables(config, packed.length);
  const batch = makeBatch(packed, [0], 1, 1 / packed.supervised, config, tables, 32);
  const { logp } = forwardBackward(config, trainable, batch, null, {
    keptLayers: kept,
    halfInputs: false,
  });
  const loss = -(await logp.data<'float32'>()).reduce((sum, one) => sum + one, 0) / packed.supervised;
  const gradient = Float32Array.from(await trainable.flat.state.gradient.data());
  disposeBatch(batch);
  tf.dispose([logp, ...tables]);
  trainable.flat.write(await trainable.flat.read());
  return { loss, gradient };
}

describe.each(readdirSync(models))('%s', (family) => {
  it('an adapter', async () => {
    const { config, source } = await open(family);
    const weights = await loadWeights(config, source, 'f32');
    const spec = {
      rank: 2,
      alpha: 4,
      rslora: false,
      dropout: 0,
      targets: [...targetsOf(config)],
      layers: config.layers,
    };
    const trainable = loraTrainable(config, weights, spec, { seed: 5 });
    const recomputed = await lossAndGradient(config, trainable);
    expect(recomputed.gradient.some((value) => value !== 0)).toBe(true);
    for (const layers of [1, config.layers, 1000]) {
      const kept = await lossAndGradient(config, trainable, layers);
      expect(kept.loss).toBeCloseTo(recomputed.loss, 6);
      expect(relativeL2(kept.gradient, recomputed.gradient), `${layers} kept`).toBeLessThan(1e-5);
    }
    trainable.flat.dispose();
    disposeWeights(weights);
  });

  it('all weights', async () => {
    const { config, source } = await open(family);
    const trainable = await fullTrainable(config, source);
    const recomputed = await lossAndGradient(config, trainable);
    for (const layers of [1, config.layers]) {
      const kept = await lossAndGradient(config, trainable, layers);
      expect(relativeL2(kept.gradient, recomputed.gradient), `${layers} kept`).toBeLessThan(1e-5);
    }
    trainable.flat.dispose();
  });
});

it('the norms of Gemma, which the oracle does not train, have the slopes of finite differences', async () => {
  const { config, source } = await open('gemma3_text');
  const trainable = await fullTrainable(config, source);
  const { gradient } = await lossAndGradient(config, trainable);
  const { parameters } = await trainable.flat.read();
  const lossAt = async (at: number, by: number) => {
    const moved = parameters.slice();
    moved[at] = (moved[at] ?? NaN) + by;
    trainable.flat.write({ parameters: moved });
    return (await lossAndGradient(config, trainable)).loss;
  };
  for (const slot of slotsOf(trainable.blocks).filter(({ name }) =>
    /layers\.0\.(post|self).*norm|^model\.norm/.test(name),
  )) {
    // the number that the loss depends on most: its difference stands clear of f32 noise
    const part = gradient.subarray(slot.offset, slot.offset + slot.count);
    const most = part.reduce((best, value, i) => (Math.abs(value) > Math.abs(part[best] ?? 0) ? i : best), 0);
    const step = 2e-3;
    const up = await lossAt(slot.offset + most, step);
    const down = await lossAt(slot.offset + most, -step);
    const slope = part[most] ?? NaN;
    expect(Math.abs((up - down) / (2 * step) - slope), slot.name).toBeLessThan(0.02 * Math.abs(slope) + 2e-4);
  }
  trainable.flat.dispose();
}, 120_000);
