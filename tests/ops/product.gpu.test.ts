/**
 * The products against plain loops in double precision over what the planes decode to: every format, both directions, in one part
 * and in several, with adapter, bias and residual; sizes that end inside a tile, a subgroup and a part.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { decode, encode } from '../../src/checkpoint/planes';
import { WeightBuilder } from '../../src/checkpoint/upload';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { dispatchCount, gpu } from '../../src/gpu/dispatch';
import { embed } from '../../src/ops/embed';
import { linear, linearDx, outerProduct } from '../../src/ops/linear';
import { preferDesign } from '../../src/ops/product/choose';
import type { FlatState } from '../../src/ops/flat';
import type { Segment } from '../../src/ops/segments';
import { disposeWeight } from '../../src/ops/weight';
import { WEIGHT_FORMATS, type WeightFormat } from '../../src/protocol/weightFormats';
import { randomFrom } from '../../src/random';
import { relativeL2 } from '../../src/selftest/distance';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

const random = randomFrom(11);
const filled = (count: number) => Float32Array.from({ length: count }, () => 2 * random() - 1);

/** left [m, k] · right [n, k]ᵀ in double precision */
function times(
  left: ArrayLike<number>,
  right: ArrayLike<number>,
  m: number,
  n: number,
  k: number,
): Float64Array {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let c = 0; c < k; c++)
        result[i * n + j] = (result[i * n + j] ?? 0) + (left[i * k + c] ?? NaN) * (right[j * k + c] ?? NaN);
  return result;
}

function transposed(matrix: ArrayLike<number>, rows: number, cols: number): Float64Array {
  return Float64Array.from(
    { length: rows * cols },
    (_, i) => matrix[(i % rows) * cols + Math.floor(i / rows)] ?? NaN,
  );
}

/** A weight in parts of 64 or 128 rows, and what it holds as numbers. */
function made(format: WeightFormat, n: number, k: number, partRows: number | null) {
  const values = filled(n * k);
  const mostBytes =
    partRows === null
      ? undefined
      : 4 * Math.ceil((partRows * k) / { f32: 1, f16: 2, q8: 4, q4: 8, nf4: 8 }[format]);
  const builder = new WeightBuilder(format, n, k, mostBytes === undefined ? {} : { mostBytes });
  // in pieces that cross the parts
  for (let row = 0; row < n; row += 48)
    builder.putValues(row, values.subarray(row * k, Math.min(n, row + 48) * k));
  const weight = builder.finish();
  expect(weight.format).toBe(format);
  if (partRows !== null) expect(weight.parts.map(({ rows }) => rows)[0]).toBe(partRows);
  return { weight, values: decode(encode(values, format), format, n * k) };
}

type Wish = NonNullable<Parameters<typeof preferDesign>[0]>;

/** Only registers makes products with a side that is no multiple of four, as an adapter of rank 3 has them. */
const fours =
  (wish: Wish): Wish =>
  (shape, rows, width) =>
    shape.vector === 4 ? wish(shape, rows, width) : null;

const DESIGNS: Record<string, Wish | null> = {
  'the chosen design': null,
  'tiles of workgroup memory': fours((shape) =>
    shape.form === 'tn' ? null : { design: 'tiled', bm: 64, bn: 64, tm: 4, tn: 4, stage: 'f32' },
  ),
  'tiles, 32 rows, 8 columns an invocation': fours((shape) =>
    shape.form === 'tn' ? null : { design: 'tiled', bm: 32, bn: 128, tm: 4, tn: 8, stage: 'f32' },
  ),
  'tiles of half floats': fours((shape) =>
    shape.form === 'tn' ? null : { design: 'tiled', bm: 64, bn: 64, tm: 4, tn: 4, stage: 'f16' },
  ),
  'lanes along the contraction, added in workgroup memory': fours((shape) =>
    shape.form === 'nt' || (shape.form === 'nn' && shape.format === 'f32')
      ? { design: 'reduce', rows: 4, cols: 8, lanes: 64, subgroup: false }
      : null,
  ),
  'lanes along the contraction, added by the subgroup': fours((shape) =>
    shape.form === 'nt' && gpu().fixedSubgroup > 0
      ? { design: 'reduce', rows: 8, cols: 4, lanes: gpu().fixedSubgroup, subgroup: true }
      : null,
  ),
  'registers without subgroups': (shape) => ({
    design: 'registers',
    rows: 4,
    cols: shape.form === 'nt' ? 2 : 1,
    broadcast: 0,
  }),
};
/** Every design with plain and packed numbers, the chosen one with every format. */
const CASES = Object.keys(DESIGNS).flatMap((design) =>
  WEIGHT_FORMATS.filter((format) => DESIGNS[design] === null || format === 'f32' || format === 'q4').map(
    (format) => [design, format] as const,
  ),
);

/** What this device misses for a design; null where it runs. */
function missing(design: string): string | null {
  if (design === 'tiles of half floats' && !gpu().device.features.has('shader-f16')) return 'shader-f16';
  if (design.endsWith('added by the subgroup') && gpu().fixedSubgroup === 0) return 'subgroups of one size';
  return null;
}

describe.each(CASES)('%s, %s', (design, format) => {
  // half floats keep 11 bits of both operands
  const limit = design === 'tiles of half floats' ? 2e-3 : 2e-6;
  beforeEach((test) => {
    const lacks = missing(design);
    if (lacks !== null) test.skip(`This device has no ${lacks}.`);
    preferDesign(DESIGNS[design] ?? null);
  });
  afterEach(() => preferDesign(null));

  // rows, out, in, rows of a part: one row, one past a tile of 16, a tail of columns past a part, Qwen2.5-0.5B's k projection
  it.each([
    [1, 64, 64, null],
    [17, 132, 192, 64],
    [33, 300, 128, 128],
    [19, 128, 896, null],
  ] as const)('%i × %i out, %i in, parts of %s rows', async (m, n, k, partRows) => {
    const { weight, values } = made(format, n, k, partRows);
    const [x, dy, bias, residual] = [filled(m * k), filled(m * n), filled(n), filled(m * n)];
    const [a, b, scale] = [filled(3 * k), filled(n * 3), 0.5];
    const u = times(x, a, m, 3, k);
    const low = times(u, b, m, n, 3);
    const forward = times(x, values, m, n, k).map(
      (value, i) => value + scale * (low[i] ?? NaN) + (bias[i % n] ?? NaN) + (residual[i] ?? NaN),
    );
    const X = tf.tensor2d(x, [m, k]);
    const extra = { bias: tf.tensor1d(bias), residual: tf.tensor2d(residual, [m, n]) };
    const run = (input: tf.Tensor) =>
      linear(input, weight, {
        ...extra,
        lora: {
          a: tf.tensor2d(a, [3, k]),
          b: tf.tensor2d(b, [n, 3]),
          segments: [{ rows: n, rank: 3, scale }],
        },
      });
    expect(relativeL2(await run(X).data(), forward)).toBeLessThan(limit);

    const du = times(dy, transposed(b, n, 3), m, 3, n).map((value) => scale * value);
    const plain = times(dy, transposed(values, n, k), m, k, n);
    const through = times(du, transposed(a, 3, k), m, k, 3);
    const DY = tf.tensor2d(dy, [m, n]);
    const [dx] = tf.grads((input) => run(input as tf.Tensor))([X], DY);
    expect(
      relativeL2(
        (await dx?.data()) ?? [],
        plain.map((value, i) => value + (through[i] ?? NaN)),
      ),
    ).toBeLessThan(limit);
    expect(relativeL2(await linearDx(DY, weight).data(), plain)).toBeLessThan(limit);
    disposeWeight(weight);
  });
});

/** Adapters of three layers in one product: widths that end inside every tile, other ranks and scales, one layer without. */
const SEGMENTS: Record<string, Segment[]> = {
  'ranks that are multiples of four': [
    { rows: 72, rank: 8, scale: 0.5 },
    { rows: 20, rank: 4, scale: 2 },
    { rows: 40, rank: 8, scale: 1.5 },
  ],
  'other ranks, one layer without an adapter': [
    { rows: 68, rank: 3, scale: 0.5 },
    { rows: 24, rank: 0, scale: 0 },
    { rows: 40, rank: 5, scale: 1.5 },
  ],
};

describe.each(Object.keys(DESIGNS))('segments, %s', (design) => {
  const limit = design === 'tiles of half floats' ? 2e-3 : 2e-6;
  beforeEach((test) => {
    const lacks = missing(design);
    if (lacks !== null) test.skip(`This device has no ${lacks}.`);
    preferDesign(DESIGNS[design] ?? null);
  });
  afterEach(() => preferDesign(null));

  it.each(Object.keys(SEGMENTS))('%s', async (name) => {
    const segments = SEGMENTS[name] ?? [];
    const [m, n, k] = [19, 132, 128];
    const { weight, values } = made('q4', n, k, 64);
    const [x, dy] = [filled(m * k), filled(m * n)];
    const own = segments.map(({ rows, rank }) => ({ a: filled(rank * k), b: filled(rows * rank) }));
    const [a, b] = [joined(own.map((one) => one.a)), joined(own.map((one) => one.b))];
    // each layer by itself
    const forward = times(x, values, m, n, k);
    const dx = times(dy, transposed(values, n, k), m, k, n);
    const [da, db]: [number[], number[]] = [[], []];
    let first = 0;
    segments.forEach(({ rows, rank, scale }, index) => {
      const { a: ownA, b: ownB } = own[index] ?? { a: filled(0), b: filled(0) };
      const ownDy = Float64Array.from(
        { length: m * rows },
        (_, i) => dy[Math.floor(i / rows) * n + first + (i % rows)] ?? NaN,
      );
      const u = times(x, ownA, m, rank, k);
      times(u, ownB, m, rows, rank).forEach((value, i) => {
        const at = Math.floor(i / rows) * n + first + (i % rows);
        forward[at] = (forward[at] ?? NaN) + scale * value;
      });
      const du = times(ownDy, transposed(ownB, rows, rank), m, rank, rows).map((value) => scale * value);
      times(du, transposed(ownA, rank, k), m, k, rank).forEach(
        (value, i) => (dx[i] = (dx[i] ?? NaN) + value),
      );
      da.push(...times(transposed(du, m, rank), transposed(x, m, k), rank, k, m));
      const ownDb = times(transposed(ownDy, m, rows), transposed(u, m, rank), rows, rank, m);
      db.push(...ownDb.map((value) => scale * value));
      first += rows;
    });

    const [X, A, B] = [tf.tensor2d(x, [m, k]), tf.tensor2d(a, [a.length / k, k]), tf.tensor1d(b)];
    const DY = tf.tensor2d(dy, [m, n]);
    const run = (...[x1, a1, b1]: tf.Tensor[]) => {
      if (!x1 || !a1 || !b1) throw new Error('An input is missing.');
      return linear(x1, weight, { lora: { a: a1, b: b1, segments } });
    };
    expect(relativeL2(await run(X, A, B).data(), forward)).toBeLessThan(limit);
    const gradients = tf.grads((...all) => run(...(all as tf.Tensor[])))([X, A, B], DY);
    for (const [index, expected] of [dx, da, db].entries())
      expect(relativeL2((await gradients[index]?.data()) ?? [], expected), 'x, A, B'[3 * index]).toBeLessThan(
        limit,
      );

    // and added to what a flat buffer holds
    const offset = Math.ceil(a.length / 64) * 64;
    const count = offset + Math.ceil(b.length / 64) * 64;
    const before = filled(count);
    const state = flatState(before);
    const into = { a: { state, offset: 0 }, b: { state, offset } };
    tf.grads((...all) => {
      const [x1, a1, b1] = all as [tf.Tensor, tf.Tensor, tf.Tensor];
      return linear(x1, weight, { lora: { a: a1, b: b1, segments, into } });
    })([X, A, B], DY);
    const after = await state.gradient.data();
    const added = Array.from(before, (value, i) => {
      if (i < a.length) return value + (da[i] ?? NaN);
      return i < offset || i >= offset + b.length ? value : value + (db[i - offset] ?? NaN);
    });
    expect(relativeL2(after, added)).toBeLessThan(limit);
    disposeWeight(weight);
  });
});

function joined(parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

function flatState(gradient: Float32Array): FlatState {
  const zeros = () => tf.zeros([gradient.length]);
  const rest = { parameters: zeros(), mean: zeros(), square: zeros(), scalars: tf.zeros([7]) };
  return { gradient: tf.tensor1d(gradient), ...rest };
}

it.each(WEIGHT_FORMATS)('embed reads the first and the last row of every part, %s', async (format) => {
  const [n, k] = [200, 128];
  const { weight, values } = made(format, n, k, 64);
  const ids = [0, 63, 64, 127, 199, 5];
  const expected = ids.flatMap((id) => [...values.subarray(id * k, (id + 1) * k)]);
  const rows = await embed(weight, tf.tensor1d(ids, 'int32')).data();
  expect(relativeL2(rows, expected)).toBeLessThan(1e-7);
  disposeWeight(weight);
});

describe('outer products', () => {
  afterEach(() => preferDesign(null));
  // rows, columns of p and of q: an adapter's dA and dB at Qwen2.5-0.5B's k and o; sides that are no multiple of 4; wide and narrow
  it.each([
    [65, 8, 896],
    [65, 896, 8],
    [33, 6, 130],
    [33, 130, 7],
    [17, 40, 36],
  ])('%i rows, %i × %i', async (m, n, k) => {
    const [p, q] = [filled(m * n), filled(m * k)];
    const expected = times(transposed(p, m, n), transposed(q, m, k), n, k, m).map((value) => 0.5 * value);
    for (const broadcast of [gpu().fixedSubgroup, 0]) {
      preferDesign(() => ({ design: 'registers', rows: 4, cols: 1, broadcast }));
      const ours = outerProduct(tf.tensor2d(p, [m, n]), tf.tensor2d(q, [m, k]), 0.5);
      expect(ours.shape).toEqual([n, k]);
      expect(relativeL2(await ours.data(), expected)).toBeLessThan(2e-6);
    }
  });

  it('rows that are divided among groups, as on a graphics card, add up to the same in a flat buffer', async () => {
    const segments: Segment[] = [
      { rows: 72, rank: 8, scale: 0.5 },
      { rows: 40, rank: 4, scale: 1.5 },
    ];
    const [m, n, k] = [200, 112, 64]; // 200 rows are three groups of 64 and more
    const { weight } = made('f32', n, k, null);
    const [x, a, b, dy] = [[m, k], [12, k], [736], [m, n]].map((shape) =>
      tf.tensor(filled(shape.reduce((product, side) => product * side, 1)), shape),
    ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const before = filled(768 + 768);
    preferDesign(() => ({ design: 'registers', rows: 4, cols: 1, broadcast: 0 }));
    const run = async () => {
      const state = flatState(before);
      const into = { a: { state, offset: 0 }, b: { state, offset: 768 } };
      const count = dispatchCount();
      tf.grads((...all) => {
        const [x1, a1, b1] = all as [tf.Tensor, tf.Tensor, tf.Tensor];
        return linear(x1, weight, { lora: { a: a1, b: b1, segments, into } });
      })([x, a, b], dy);
      return { dispatches: dispatchCount() - count, gradient: await state.gradient.data() };
    };
    const whole = await run();
    const device = gpu();
    const { software } = device;
    device.software = false;
    const divided = await run();
    device.software = software;
    expect(divided.dispatches).toBe(whole.dispatches + 2);
    expect(relativeL2(divided.gradient, whole.gradient)).toBeLessThan(1e-6);
    disposeWeight(weight);
  });
});
