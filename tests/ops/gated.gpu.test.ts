/**
 * A product that joins gates with ups as it writes them, by every design of generation, against plain loops and the formulas in double
 * precision; and the ways in which it is a product and a gated unit after all.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { dispatchCount } from '../../src/gpu/dispatch';
import type { Activation } from '../../src/ops/glu';
import { linear } from '../../src/ops/linear';
import { preferDesign } from '../../src/ops/product/choose';
import { disposeWeight } from '../../src/ops/weight';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import { relativeL2 } from '../../src/selftest/distance';
import { ACTIVATIONS } from './activations';
import { FEW_CASES, filled, made, times, useFew } from './products';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => {
  preferDesign(null);
  engine.check();
});

/** → what came out, what is right, and how many kernels it took. */
async function run(
  format: WeightFormat,
  [m, width, k, partRows]: readonly [m: number, width: number, k: number, partRows: number | null],
  activation: Activation,
  adapted: boolean,
) {
  const n = 2 * width;
  const { weight, values: w } = made(format, n, k, partRows);
  const [x, bias, a, b] = [filled(m * k), filled(n), filled(5 * k), filled(width * 5)];
  // gates have an adapter of rank 3, ups one of rank 2
  const u = times(x, a, m, 5, k);
  const low = new Float64Array(m * n);
  if (adapted)
    for (let row = 0; row < m; row++)
      for (let col = 0; col < n; col++) {
        const [rank, first, at, scale] = col < width ? [3, 0, 3 * col, 0.5] : [2, 3, width + 2 * col, 2];
        for (let r = 0; r < rank; r++)
          low[row * n + col] =
            (low[row * n + col] ?? 0) + scale * (u[row * 5 + first + r] ?? NaN) * (b[at + r] ?? NaN);
      }
  const y = times(x, w, m, n, k).map((value, i) => value + (low[i] ?? NaN) + (bias[i % n] ?? NaN));
  const expected = Float64Array.from({ length: m * width }, (_, i) => {
    const at = Math.floor(i / width) * n + (i % width);
    return ACTIVATIONS[activation](y[at] ?? NaN) * (y[at + width] ?? NaN);
  });
  const segments = [
    { rows: width, rank: 3, scale: 0.5 },
    { rows: width, rank: 2, scale: 2 },
  ];
  const lora = { a: tf.tensor2d(a, [5, k]), b: tf.tensor1d(b), segments };
  const before = dispatchCount();
  const gated = linear(tf.tensor2d(x, [m, k]), weight, {
    bias: tf.tensor1d(bias),
    gated: activation,
    ...(adapted ? { lora } : {}),
  });
  const dispatches = dispatchCount() - before;
  expect(gated.shape).toEqual([m, width]);
  const values = await gated.data();
  disposeWeight(weight);
  return { values, expected, dispatches };
}

describe.each(FEW_CASES)('gates and ups by %s, %s', (design, format) => {
  const use = useFew(design);

  // one sequence and several; 68 gates end inside a group of every design
  it.each([1, 5])('%i rows', async (m) => {
    use(m);
    for (const [activation, adapted] of [
      ['silu', true],
      ['gelu_tanh', false],
    ] as const) {
      const { values, expected, dispatches } = await run(format, [m, 68, 640, null], activation, adapted);
      expect(relativeL2(values, expected)).toBeLessThan(2e-6);
      // u = x Aᵀ is a product of its own
      if (!design.startsWith('tiles')) expect(dispatches).toBe(adapted ? 2 : 1);
    }
  });
});

describe('a product that cannot join them', () => {
  it('is followed by the unit: weights in two parts', async () => {
    const { values, expected, dispatches } = await run('q4', [3, 96, 128, 128], 'silu', false);
    expect(relativeL2(values, expected)).toBeLessThan(2e-6);
    expect(dispatches).toBe(3);
  });

  it('is followed by the unit: tiles', async () => {
    preferDesign(() => ({ design: 'tiled', bm: 64, bn: 64, tm: 4, tn: 4, stage: 'f32' }));
    const { values, expected, dispatches } = await run('f32', [33, 68, 128, null], 'gelu_tanh', false);
    expect(relativeL2(values, expected)).toBeLessThan(2e-6);
    expect(dispatches).toBe(2);
  });

  it('has no gradient', () => {
    const { weight } = made('f32', 8, 8, null);
    const loss = () => tf.grad((x) => linear(x as tf.Tensor, weight, { gated: 'silu' }))(tf.ones([2, 8]));
    expect(loss).toThrow(/gradient/i);
    disposeWeight(weight);
  });
});

describe('a whole row of training, read forward only', () => {
  it.each(['q4', 'f32'] as const)('%s', async (format) => {
    const { values, expected } = await run(format, [33, 68, 640, null], 'silu', true);
    expect(relativeL2(values, expected)).toBeLessThan(2e-6);
  });
});
