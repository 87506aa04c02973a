/** How many dispatches a layer costs in a training step: those of tfjs are counted too. */
import * as tf from '@tensorflow/tfjs-core';
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { loraTrainable } from '../../src/adapter/lora';
import { sourceOfValues } from '../../src/checkpoint/source';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { gpu, submit } from '../../src/gpu/inside';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { loadWeights } from '../../src/model/loadWeights';
import { rotaryTables } from '../../src/model/rotary';
import { targetsOf, weightShapes } from '../../src/model/shapes';
import { disposeWeights } from '../../src/model/weights';
import { disposeBatch, makeBatch } from '../../src/training/batch';
import { forwardBackward } from '../../src/training/step';

vi.setConfig({ testTimeout: 300_000 });

let engine: Engine;
let counted = 0;

beforeAll(async () => {
  engine = await startEngine();
  const { device } = gpu();
  const encoderOf = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (...given) => {
    const encoder = encoderOf(...given);
    const passOf = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (...wanted) => {
      const pass = passOf(...wanted);
      const run = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (...groups) => {
        counted++;
        run(...groups);
      };
      return pass;
    };
    return encoder;
  };
});
afterEach(() => engine.check());

const LENGTH = 128;

function withLayers(family: string, layers: number): ModelConfig {
  const raw = JSON.parse(readFileSync(`tests/fixtures/models/${family}/config.json`, 'utf8')) as object;
  // lists with an entry for each layer are made from the family's own rule
  const rule = { layer_types: undefined, no_rope_layers: undefined };
  return readConfig({ ...raw, ...rule, num_hidden_layers: layers });
}

async function dispatchesOf(config: ModelConfig, dropout: number): Promise<number> {
  const shapes = weightShapes(config);
  const source = sourceOfValues(shapes, (name) => {
    const count = (shapes.get(name) ?? []).reduce((product, side) => product * side, 1);
    return Promise.resolve(Float32Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 1000 - 0.05));
  });
  const weights = await loadWeights(config, source, 'f32');
  const targets = [...targetsOf(config)];
  const spec = { rank: 4, alpha: 8, rslora: false, dropout, targets, layers: config.layers };
  const trainable = loraTrainable(config, weights, spec, { seed: 1 });
  const tables = rotaryTables(config, LENGTH);
  const ids = Int32Array.from({ length: LENGTH }, (_, i) => (i * 7) % config.vocab);
  const packed = {
    ...{ length: LENGTH, rows: 1, ids, targets: ids, examples: 1, supervised: LENGTH },
    documentStart: new Int32Array(LENGTH),
  };
  const batch = makeBatch(packed, [0], 1, 1 / LENGTH, config, tables, LENGTH);
  const seed = tf.tensor1d([1], 'int32');
  submit();
  const before = counted;
  const { logp } = forwardBackward(config, trainable, batch, dropout > 0 ? seed : null);
  submit();
  const made = counted - before;
  await logp.data();
  disposeBatch(batch);
  tf.dispose([logp, seed, tables]);
  trainable.flat.dispose();
  disposeWeights(weights);
  return made;
}

/*
 * Forward 13: norm; U, product of q|k|v; split heads; attention; U, product of o; norm; U, product of gate|up; gated unit;
 *   U, product of down.
 * Computed again 12: the product of down is not run.
 * Backward 23: for each of 4 products dU, dX, dA, dB = 16; gated unit 1; norms 2; attention 3; join heads 1.
 * On a graphics card 1 more: dK and dV of so few keys are made head by head, then added up.
 * Dropout: of what an adapter reads, twice; on the way back du A by itself, and its mask. 4 more for each of 4 products.
 * Gemma norms both results: 2 more each forward, again (the last norm is not run, the product before it is) and backward.
 */
const PLAIN = 13 + 12 + 23;
const LAYERS: [family: string, dispatches: number][] = [
  ['llama', PLAIN],
  ['qwen2', PLAIN],
  ['qwen3', PLAIN],
  ['mistral', PLAIN],
  ['smollm3', PLAIN],
  ['phi3', PLAIN],
  ['gemma3_text', PLAIN + 2 + 2 + 2],
];

it.each(LAYERS)('a layer of %s with all its adapters takes %i dispatches', async (family, expected) => {
  const [three, four] = [withLayers(family, 3), withLayers(family, 4)];
  const each = (await dispatchesOf(four, 0)) - (await dispatchesOf(three, 0));
  expect(each).toBe(expected + (gpu().software ? 0 : 1));
  expect(each).toBeLessThanOrEqual(60);
});

it('under dropout 16 more', async () => {
  const [three, four] = [withLayers('llama', 3), withLayers('llama', 4)];
  const each = (await dispatchesOf(four, 0.1)) - (await dispatchesOf(three, 0.1));
  expect(each).toBe(PLAIN + 16 + (gpu().software ? 0 : 1));
});
