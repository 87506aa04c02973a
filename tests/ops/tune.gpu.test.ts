/** The search for the fastest product: candidates are judged before they are timed, and winners are used. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { decode, encode } from '../../src/checkpoint/planes';
import { WeightBuilder } from '../../src/checkpoint/upload';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { gpu } from '../../src/gpu/dispatch';
import { linear } from '../../src/ops/linear';
import { chooseDesign, useTuned } from '../../src/ops/product/choose';
import { candidates, tuneProducts } from '../../src/ops/product/tune';
import { randomFrom } from '../../src/random';

vi.setConfig({ testTimeout: 240_000 });
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => {
  useTuned({});
  engine.check();
});

function made(n: number, k: number) {
  const random = randomFrom(5);
  const numbers = Float32Array.from({ length: n * k }, () => 2 * random() - 1);
  const builder = new WeightBuilder('q4', n, k);
  builder.putValues(0, numbers);
  return { weight: builder.finish(), values: decode(encode(numbers, 'q4'), 'q4', n * k) };
}

const NT = {
  form: 'nt',
  format: 'q4',
  vector: 4,
  lora: false,
  bias: false,
  add: false,
  accumulate: false,
  flip: false,
} as const;

it('chooses among candidates that were right, keeps the choice, and uses it', async () => {
  const small = made(68, 64);
  const large = made(256, 128).weight;
  const seen: string[] = [];
  const { table, trials } = await tuneProducts({
    small,
    large,
    rows: 64,
    budget: 120_000,
    onTrial: ({ kind }) => seen.push(kind),
  });
  expect(trials.length).toBe(candidates('nt').length + candidates('nn').length);
  expect(seen.length).toBe(trials.length);
  for (const { error, time } of trials) {
    expect(error).toBeLessThan(1e-5);
    expect(time).toBeGreaterThan(0);
  }
  const chosen = trials.filter((trial) => trial.chosen);
  expect(chosen.map(({ kind }) => kind)).toEqual(['nt q4', 'nn q4']);
  for (const { kind, design, time } of chosen) {
    const times = trials.filter((trial) => trial.kind === kind).map((trial) => trial.time ?? Infinity);
    expect(time).toBe(Math.min(...times));
    expect(table[kind]).toEqual(design);
  }
  expect(chooseDesign(NT, 64, 256, gpu())).toEqual(table['nt q4']);
});

it('a weight that does not hold the numbers it should is never chosen', async () => {
  const { weight, values } = made(68, 64);
  const wrong = { weight, values: values.map((value) => value + 1) };
  const { table, trials } = await tuneProducts({
    small: wrong,
    large: made(64, 64).weight,
    rows: 16,
    budget: 120_000,
  });
  expect(trials.every(({ time, chosen }) => time === null && !chosen)).toBe(true);
  expect(table).toEqual({});
  expect((await linear(tf.ones([1, 64]), weight).data())[0]).not.toBe(0);
});
