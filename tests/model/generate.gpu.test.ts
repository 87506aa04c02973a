/** Tokens that are read some steps late are the tokens that are read at once, and nothing is left on the device. */
import { readdirSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { gpu } from '../../src/gpu/inside';
import { kernelsMade } from '../../src/gpu/pipelines';
import { readConfig } from '../../src/model/config';
import { baseModel } from '../../src/adapter/baseModel';
import { loraTrainable } from '../../src/adapter/lora';
import type { Runnable } from '../../src/model/forward';
import { generate, type GenerateOptions } from '../../src/model/generate';
import { loadWeights } from '../../src/model/loadWeights';
import { targetsOf } from '../../src/model/shapes';
import { disposeWeights } from '../../src/model/weights';
import { randomFrom } from '../../src/random';
import { runnable } from '../../src/training/run';
import { sourceOfFolder } from '../checkpoint/folder';

vi.setConfig({ testTimeout: 240_000 });
const models = 'tests/fixtures/models';
const folder = `${models}/qwen2`;
const prompts = [Int32Array.of(5, 17, 200, 31), Int32Array.of(9), Int32Array.of(77, 3, 350)];

let engine: Engine;
let model: Runnable;
beforeAll(async () => {
  engine = await startEngine();
  model = await loaded();
});
afterEach(() => engine.check());

async function loaded(from = folder): Promise<Runnable> {
  const config = readConfig(JSON.parse(readFileSync(`${from}/config.json`, 'utf8')));
  const weights = await loadWeights(config, await sourceOfFolder(from), 'f32');
  return baseModel(config, weights);
}

async function tokens(options: Partial<GenerateOptions>): Promise<number[][]> {
  const steps: number[][] = [];
  const all = { temperature: 0, topP: 1, maxTokens: 9, stopIds: [], random: randomFrom(4), ...options };
  for await (const step of generate(model, prompts, all)) steps.push(Array.from(step));
  return steps;
}

describe.each([
  { temperature: 0, topP: 1 },
  { temperature: 1.5, topP: 0.95 },
])('at temperature $temperature', (sampling) => {
  it('three steps ahead or none give the same tokens', async () => {
    const atOnce = await tokens({ ...sampling, random: randomFrom(4), ahead: 0 });
    expect(atOnce).toHaveLength(9);
    expect(atOnce.flat().every((id) => id >= 0 && id < model.config.vocab)).toBe(true);
    expect(await tokens({ ...sampling, random: randomFrom(4), ahead: 3 })).toEqual(atOnce);
  });

  it('an ended sequence gives −1, the others go on, and all that was begun is given back', async () => {
    const free = await tokens({ ...sampling, random: randomFrom(4), ahead: 0 });
    const stop = free[2]?.[1] ?? 0;
    const ended = prompts.map((_, sequence) => free.findIndex((step) => step[sequence] === stop));
    const held = tf.memory().numTensors;
    const got = await tokens({ ...sampling, random: randomFrom(4), ahead: 3, stopIds: [stop] });
    expect(tf.memory().numTensors).toBe(held);
    const length = ended.includes(-1) ? 9 : Math.max(...ended) + 1;
    expect(got).toEqual(
      free
        .slice(0, length)
        .map((step, at) => step.map((id, seq) => (at > (ended[seq] ?? 0) && ended[seq] !== -1 ? -1 : id))),
    );
    expect(got.flat()).toContain(-1);
  });
});

it('stops between two steps when asked to, with nothing left behind', async () => {
  const held = tf.memory().numTensors;
  let asked = 0;
  const got = await tokens({ ahead: 3, cancelled: () => ++asked > 5 });
  expect(got).toHaveLength(5);
  expect(tf.memory().numTensors).toBe(held);
});

it('an adapter is read from its first token on, not what a rehearsal had in its place', async () => {
  const base = await tokens({});
  const config = model.config;
  const weights = await loadWeights(config, await sourceOfFolder(folder), 'f32');
  const spec = {
    ...{ rank: 4, alpha: 8, rslora: false, dropout: 0 },
    ...{ targets: [...targetsOf(config)], layers: config.layers },
  };
  const adapted = () => {
    const trainable = loraTrainable(config, weights, spec, { seed: 3 });
    const values = Float32Array.from({ length: trainable.flat.count }, (_, i) => Math.sin(i) / 4);
    trainable.flat.write({ parameters: values });
    return trainable;
  };
  const used = adapted();
  used.blocks.forEach((block) => used.flat.tensor(block)); // as after a step of training
  const runs: number[][][] = [];
  const plain = model;
  for (const trainable of [used, adapted()]) {
    model = runnable(config, trainable);
    runs.push(await tokens({}));
    trainable.flat.dispose();
  }
  model = plain;
  expect(runs[0]).not.toEqual(base);
  expect(runs[1]).toEqual(runs[0]);
  disposeWeights(weights);
});

it.each(readdirSync(models))('steps of %s after the second are run from a recording', async (family) => {
  const own = await loaded(`${models}/${family}`);
  const kernels: number[] = [];
  const run = vi.spyOn(tf.engine(), 'runKernel');
  const options = {
    temperature: 1.5,
    topP: 0.95,
    maxTokens: 6,
    stopIds: [],
    random: randomFrom(4),
    ahead: 0,
  };
  for await (const _ of generate(own, prompts, options)) kernels.push(run.mock.calls.length);
  run.mockRestore();
  const made = kernels.map((count, step) => count - (kernels[step - 1] ?? 0));
  // the prompts, and the first step; after it the ids are only named once more to be read
  expect(made[1]).toBeGreaterThan(8 * own.config.layers);
  expect(made.slice(2)).toEqual([1, 1, 1, 1]);
});

it('makes no pipeline on the spot', async () => {
  engine = await startEngine();
  model = await loaded();
  const { device } = gpu();
  const made: string[] = [];
  const make = device.createComputePipeline.bind(device);
  device.createComputePipeline = (descriptor) => {
    made.push(descriptor.label ?? '');
    return make(descriptor);
  };
  expect(await tokens({ temperature: 1.5, topP: 0.95 })).toHaveLength(9);
  expect(made).toEqual([]);
  expect(kernelsMade()).toContain('sampleToken');
});

it('once half of the sequences have ended only the others are computed, and say what they would have said', async () => {
  const four = [...prompts, Int32Array.of(12, 400)];
  const rows: number[] = [];
  const run = async (stopIds: number[], ahead = 0) => {
    rows.length = 0;
    const steps: number[][] = [];
    const onLogits = (logits: Float32Array) => rows.push(logits.length / model.config.vocab);
    const options = { temperature: 0, topP: 1, maxTokens: 9, random: () => 0, ahead, stopIds, onLogits };
    for await (const step of generate(model, four, options)) steps.push(Array.from(step));
    return steps;
  };
  const free = await run([]);
  expect(rows).toEqual(free.map(() => 4));
  // what the first and the third say first, so that the second and the fourth are left
  const stopIds = [free[0]?.[0] ?? 0, free[0]?.[2] ?? 0];
  const ends = four.map((_, index) => free.findIndex((step) => stopIds.includes(step[index] ?? -1)));
  const held = tf.memory().numTensors;
  const got = await run(stopIds);
  expect(tf.memory().numTensors).toBe(held);
  expect(got).toEqual(
    free
      .slice(0, got.length)
      .map((step, at) => step.map((id, index) => (ends[index] !== -1 && at > (ends[index] ?? 0) ? -1 : id))),
  );
  const left = got.map((_, at) => ends.filter((end) => end === -1 || at <= end).length);
  expect(left).toContain(2);
  let computed = 4;
  expect(rows).toEqual(left.map((count) => (computed = count <= computed / 2 ? count : computed)));
  // what was begun before an end was known is thrown away
  expect(await run(stopIds, 2)).toEqual(got);
  expect(rows.at(-1)).toBeLessThan(4);
});
