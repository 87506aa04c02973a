/** The search for the fastest product: candidates are judged before they are timed, and winners are used. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { decode, encode } from '../../src/checkpoint/planes';
import { WeightBuilder } from '../../src/checkpoint/upload';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { gpu } from '../../src/gpu/inside';
import { linear } from '../../src/ops/linear';
import { PLAIN } from '../../src/ops/product/operands';
import { chooseDesign, kindOf, useTuned, type Design } from '../../src/ops/product/choose';
import { candidates, KINDS } from '../../src/ops/product/candidates';
import { tuneProducts, winnerOf, type JudgedTrial, type Trial } from '../../src/ops/product/tune';
import { WEIGHT_FORMATS } from '../../src/protocol/weightFormats';
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

const NT = { ...PLAIN, form: 'nt', format: 'q4', vector: 4 } as const;

describe.each(['this device', 'a graphics card'])(
  'on %s what is built in is the first candidate',
  (device) => {
    const rowsOf = { many: 512, few: 8, one: 1 };
    it.each(KINDS.flatMap((kind) => WEIGHT_FORMATS.map((format) => [kind.form, kind.rows, format] as const)))(
      '%s, %s, %s',
      (form, rows, format) => {
        const here = gpu();
        const { software } = here;
        here.software = software && device === 'this device';
        try {
          const built = chooseDesign({ ...NT, form, format }, rowsOf[rows], 4864, here);
          expect(candidates({ form, rows }, format)[0]).toEqual(built);
        } finally {
          here.software = software;
        }
      },
    );
  },
);

it('returns the fastest of the candidates that were right, and once in use it is chosen', async () => {
  const trials: JudgedTrial[] = [];
  const table = await tuneProducts({
    small: made(68, 64),
    large: [made(256, 128).weight, made(64, 128).weight],
    rows: 64,
    budget: 120_000,
    onTrial: (trial) => trials.push(trial),
  });
  expect(trials.length).toBe(KINDS.flatMap((kind) => candidates(kind, 'q4')).length);
  for (const { form, rows } of KINDS) {
    const own = trials.filter((trial) => trial.form === form && trial.rows === rows);
    for (const { error, time, design } of own) {
      expect(error).toBeLessThan(design.design === 'tiled' && design.stage === 'f16' ? 2e-3 : 1e-5);
      expect(time).toBeGreaterThan(0);
    }
    const chosen = own.filter((trial) => trial.chosen).map((trial) => trial.design);
    expect(chosen).toEqual([winnerOf(own)?.design]);
    expect([table[kindOf(form, 'q4', rows)]]).toEqual(chosen);
  }
  const other: Design = { design: 'registers', rows: 4, cols: 2, broadcast: 0 };
  useTuned({ ...table, 'nt q4': other });
  expect(chooseDesign(NT, 64, 256, gpu())).toEqual(other);
  const lanes = { design: 'reduce', cols: 2, lanes: 16, subgroup: false } as const;
  const [one, few] = [
    { ...lanes, rows: 1 },
    { ...lanes, rows: 8 },
  ];
  useTuned({ ...table, 'nt q4, one': one, 'nt q4, few': few });
  expect(chooseDesign(NT, 1, 256, gpu())).toEqual(one);
  // as many rows as there are, in a group that has room for them
  for (const [rows, together] of [
    [2, 2],
    [3, 4],
    [5, 8],
    [8, 8],
  ] as const)
    expect(chooseDesign(NT, rows, 256, gpu())).toEqual({ ...few, rows: together });
});

it('a weight that does not hold the numbers it should is never chosen', async () => {
  const { weight, values } = made(68, 64);
  const trials: Trial[] = [];
  const table = await tuneProducts({
    small: { weight, values: values.map((value) => value + 1) },
    large: [made(64, 64).weight],
    rows: 16,
    budget: 120_000,
    onTrial: (trial) => trials.push(trial),
  });
  expect(trials.length).toBeGreaterThan(3);
  expect(trials.every(({ time }) => time === null)).toBe(true);
  expect(table).toEqual({});
  expect((await linear(tf.ones([1, 64]), weight).data())[0]).not.toBe(0);
});
