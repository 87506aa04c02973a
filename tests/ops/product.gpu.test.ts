/**
 * The products against plain loops in double precision over what the planes decode to: every format, both directions, in one part
 * and in several, with adapter, bias and residual; sizes that end inside a tile, a subgroup and a part.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { dispatchCount } from '../../src/gpu/dispatch';
import { gpu } from '../../src/gpu/inside';
import { embed } from '../../src/ops/embed';
import { linear, linearDx } from '../../src/ops/linear';
import { outerProduct } from '../../src/ops/outerProduct';
import { preferDesign, type Design } from '../../src/ops/product/choose';
import { lowRankDown } from '../../src/ops/product/lowRank';
import { disposeWeight } from '../../src/ops/weight';
import { WEIGHT_FORMATS } from '../../src/protocol/weightFormats';
import { relativeL2 } from '../../src/selftest/distance';
import { againstLoops, bothWays } from './productCases';
import { DESIGNS, FEW_CASES, filled, made, times, transposed, useFew } from './products';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

againstLoops(DESIGNS);

describe.each(FEW_CASES)('a step of generation by %s, %s', (design, format) => {
  const use = useFew(design);

  // one sequence, two, four, and numbers of them between; columns that end inside a group and past a part; more words than lanes
  it.each([1, 2, 3, 5, 8])('%i rows', async (m) => {
    const [n, k, rank, scale] = [132, 640, 3, 0.5];
    use(m);
    const { weight, values } = made(format, n, k, 64);
    const [x, bias, residual] = [filled(m * k), filled(n), filled(m * n)];
    const [a, b] = [filled(rank * k), filled(n * rank)];
    const low = times(times(x, a, m, rank, k), b, m, n, rank);
    const expected = times(x, values, m, n, k).map(
      (value, i) => value + scale * (low[i] ?? NaN) + (bias[i % n] ?? NaN) + (residual[i] ?? NaN),
    );
    const ours = linear(tf.tensor2d(x, [m, k]), weight, {
      bias: tf.tensor1d(bias),
      residual: tf.tensor2d(residual, [m, n]),
      lora: {
        a: tf.tensor2d(a, [rank, k]),
        b: tf.tensor2d(b, [n, rank]),
        segments: [{ rows: n, rank, scale }],
      },
    });
    expect(relativeL2(await ours.data(), expected)).toBeLessThan(2e-6);
    disposeWeight(weight);
  });
});

// past the passes of 1024 that choose.ts gives a processor driver
it.each(['f32', 'nf4'] as const)(
  'the chosen design, past one pass of the contraction, %s',
  async (format) => {
    const [m, n, k] = [32, 1088, 1088];
    const { weight, values } = made(format, n, k, null);
    const [x, dy] = [filled(m * k), filled(m * n)];
    const y = await linear(tf.tensor2d(x, [m, k]), weight).data();
    expect(relativeL2(y, times(x, values, m, n, k))).toBeLessThan(2e-6);
    const dx = await linearDx(tf.tensor2d(dy, [m, n]), weight).data();
    expect(relativeL2(dx, times(dy, transposed(values, n, k), m, k, n))).toBeLessThan(2e-6);
    disposeWeight(weight);
  },
);

// 12 words in a row of w: lanes of a subgroup read past its end. 64 rows: the tallest tile
it.each([17, 64])('the chosen design, words that end inside a subgroup, %i rows', async (m) => {
  await bothWays('q4', [m, 132, 96, 64], 2e-6);
});

const TILES = { design: 'tiled', bm: 64, bn: 64, tm: 4, tn: 4, stage: 'f32', ahead: true } as const;

describe.each(['f32', 'q4'] as const)('tiles that share a long contraction, %s', (format) => {
  afterEach(() => preferDesign(null));

  // three groups where many are wanted: two shares of a row of w; two shares of each of two parts of w
  it.each([
    [33, 132, 2112, null],
    [33, 4224, 64, 2112],
  ] as const)('%i × %i out, %i in, parts of %s rows', async (...size) => {
    preferDesign(({ form, vector }) => (form === 'tn' || vector === 1 ? null : TILES));
    await bothWays(format, size, 2e-6);
  });
});

it('tiles share a long contraction only where too few groups would run', () => {
  const { weight } = made('f32', 132, 2112, null);
  const x = tf.tensor2d(filled(33 * 2112), [33, 2112]);
  // three groups: enough for a device that wants three, so the product is one dispatch, else it is followed by the adding up
  for (const [enough, dispatches] of [
    [undefined, 2],
    [4, 2],
    [3, 1],
    [0, 1],
  ] as const) {
    preferDesign(() => ({ ...TILES, ...(enough === undefined ? {} : { enough }) }));
    const before = dispatchCount();
    linear(x, weight).dispose();
    expect(dispatchCount() - before).toBe(dispatches);
  }
  preferDesign(null);
  disposeWeight(weight);
});

it.each(WEIGHT_FORMATS)('embed reads the first and the last row of every part, %s', async (format) => {
  const [n, k] = [200, 128];
  const { weight, values } = made(format, n, k, 64);
  const ids = [0, 63, 64, 127, 199, 5];
  const expected = ids.flatMap((id) => [...values.subarray(id * k, (id + 1) * k)].map((value) => 3 * value));
  const rows = await embed(weight, tf.tensor1d(ids, 'int32'), 3).data();
  expect(relativeL2(rows, expected)).toBeLessThan(1e-7);
  disposeWeight(weight);
});

// the chosen design of one row reads the bytes of q8 with 128 added: sums of one sign, which nothing evens out
it('q8 against a row of positive numbers', async () => {
  const [n, k] = [132, 640];
  const { weight, values } = made('q8', n, k, null);
  const x = filled(k).map(Math.abs);
  const y = await linear(tf.tensor2d(x, [1, k]), weight).data();
  expect(relativeL2(y, times(x, values, 1, n, k))).toBeLessThan(2e-6);
  disposeWeight(weight);
});

// f32 that is read number by number
it('lines of rows that are no multiple of four are touched first', async (test) => {
  const { fixedSubgroup } = gpu();
  if (fixedSubgroup === 0) test.skip('This device has no subgroups of one size.');
  const [m, n, k] = [3, 37, 66];
  const { weight, values } = made('f32', n, k, null);
  const x = filled(m * k);
  preferDesign(() => ({ design: 'registers', rows: 4, cols: 2, broadcast: fixedSubgroup, touch: true }));
  const ours = linear(tf.tensor2d(x, [m, k]), weight);
  preferDesign(null);
  const y = await ours.data();
  expect(relativeL2(y, times(x, values, m, n, k))).toBeLessThan(2e-6);
  disposeWeight(weight);
});

// columns of one to four numbers a lane; several products of one dispatch, the smaller ones with nothing to do in some lanes
it.each([
  [33, [8]],
  [40, [12, 4]],
  [64, [24, 8, 8]],
  [17, [3, 5]],
])('the way down through B, %i rows, ranks %j', async (m, ranks) => {
  const segments = ranks.map((rank, i) => ({ rows: 64 + 32 * i, rank, scale: 0.5 + i }));
  const all = segments.reduce((sum, { rows }) => sum + rows, 0);
  const blocks = segments.map(({ rows, rank }) => filled(rows * rank));
  const dy = filled(m * all);
  let first = 0;
  const columns = segments.flatMap(({ rows, rank, scale }, i) => {
    const own = Float64Array.from({ length: m * rows }, (_, at) => {
      return dy[Math.floor(at / rows) * all + first + (at % rows)] ?? NaN;
    });
    first += rows;
    const part = times(own, transposed(blocks[i] ?? [], rows, rank), m, rank, rows);
    return Array.from({ length: rank }, (_, r) =>
      Array.from({ length: m }, (_, row) => scale * (part[row * rank + r] ?? NaN)),
    );
  });
  const expected = Array.from({ length: m }, (_, row) => columns.map((column) => column[row] ?? NaN)).flat();
  const up = tf.tensor1d(Float32Array.from(blocks.flatMap((block) => [...block])));
  const made = lowRankDown(tf.tensor2d(dy, [m, all]), up, segments);
  const du = await tf.engine().makeTensorFromTensorInfo(made).data();
  expect(relativeL2(du, expected)).toBeLessThan(2e-6);
});

describe('outer products', () => {
  afterEach(() => preferDesign(null));
  // rows, columns of p and of q: an adapter's dA and dB at Qwen2.5-0.5B's k and o; sides that are no multiple of 4; wide and narrow
  it.each([
    [65, 8, 896],
    [64, 8, 896],
    [65, 896, 8],
    [33, 6, 130],
    [33, 130, 7],
    [17, 40, 36],
  ])('%i rows, %i × %i', async (m, n, k) => {
    const [p, q] = [filled(m * n), filled(m * k)];
    const expected = times(transposed(p, m, n), transposed(q, m, k), n, k, m).map((value) => 0.5 * value);
    const registers = { design: 'registers', rows: 4, cols: 1 } as const;
    const designs: Design[] = [
      { ...registers, broadcast: gpu().fixedSubgroup },
      { ...registers, rows: 8, cols: 2, broadcast: gpu().fixedSubgroup, steps: 2 },
      { ...registers, broadcast: 0 },
      { design: 'sliced', rows: 4, cols: 8, slices: 16 },
      { design: 'sliced', rows: 8, cols: 8, slices: 32 },
    ];
    for (const design of designs) {
      preferDesign(() => design);
      const ours = outerProduct(tf.tensor2d(p, [m, n]), tf.tensor2d(q, [m, k]), 0.5);
      expect(ours.shape).toEqual([n, k]);
      expect(relativeL2(await ours.data(), expected)).toBeLessThan(2e-6);
    }
  });
});
