/** Products to judge by plain loops in double precision, and the designs that each is made by. */
import { afterEach, beforeEach, expect } from 'vitest';
import { decode, encode } from '../../src/checkpoint/planes';
import { WeightBuilder } from '../../src/checkpoint/upload';
import { gpu } from '../../src/gpu/inside';
import { preferDesign, type Design } from '../../src/ops/product/choose';
import { usableFormat, WEIGHT_FORMATS, type WeightFormat } from '../../src/protocol/weightFormats';
import { randomFrom } from '../../src/random';

const random = randomFrom(11);
export const filled = (count: number) => Float32Array.from({ length: count }, () => 2 * random() - 1);

/** left [m, k] · right [n, k]ᵀ in double precision */
export function times(
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

export function transposed(matrix: ArrayLike<number>, rows: number, cols: number): Float64Array {
  return Float64Array.from(
    { length: rows * cols },
    (_, i) => matrix[(i % rows) * cols + Math.floor(i / rows)] ?? NaN,
  );
}

/** A weight in parts of 64 or 128 rows, in the format that suits its sides, and what it holds as numbers. */
export function made(wish: WeightFormat, n: number, k: number, partRows: number | null) {
  const format = usableFormat(wish, n, k);
  const values = filled(n * k);
  const mostBytes =
    partRows === null
      ? undefined
      : 4 * Math.ceil((partRows * k) / { f32: 1, f16: 2, q8: 4, q4: 8, nf4: 8, nf4dq: 8 }[format]);
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

/** Null: what choose.ts takes. */
export type Designs = Record<string, Wish | null>;

/** For devices with half floats, which SwiftShader has not: a stage of their own runs these on lavapipe. */
export const HALF_DESIGNS: Designs = {
  'tiles of half floats': fours((shape) =>
    shape.form === 'tn' ? null : { design: 'tiled', bm: 64, bn: 64, tm: 4, tn: 4, stage: 'f16' },
  ),
};

/** For the gradients of an adapter only. */
export const ROW_DESIGNS: Designs = {
  'slices of the rows, added in workgroup memory': (shape) =>
    shape.form === 'tn' ? { design: 'sliced', rows: 8, cols: 8, slices: 32 } : null,
};

export const DESIGNS: Designs = {
  'the chosen design': null,
  'tiles of workgroup memory': fours((shape) =>
    shape.form === 'tn' ? null : { design: 'tiled', bm: 64, bn: 64, tm: 4, tn: 4, stage: 'f32' },
  ),
  'tiles, 32 rows, 8 columns an invocation': fours((shape) =>
    shape.form === 'tn' ? null : { design: 'tiled', bm: 32, bn: 128, tm: 4, tn: 8, stage: 'f32' },
  ),
  'tiles that ask ahead, 8 steps at once, 8 × 8 an invocation': fours((shape) =>
    shape.form === 'tn'
      ? null
      : { design: 'tiled', bm: 64, bn: 64, tm: 8, tn: 8, stage: 'f32', depth: 2, ahead: true },
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
  'registers, 64 steps of the contraction at a time': fours((shape) => ({
    design: 'registers',
    ...{ rows: 4, cols: shape.form === 'nt' ? 2 : 1, broadcast: 0, depth: 64 },
  })),
  'registers, a vector of a word at a time': fours((shape) => ({
    design: 'registers',
    ...{ rows: 4, cols: shape.form === 'nt' ? 2 : 1, broadcast: 0, rolled: true },
  })),
  'registers without subgroups': (shape) => ({
    design: 'registers',
    rows: 4,
    cols: shape.form === 'nt' ? 2 : 1,
    broadcast: 0,
  }),
};

/** Null for an adapter's numbers, which lie in no blocks. */
const wholeBlocks = (
  rows: number,
  format: WeightFormat,
  cols: number,
  more: { rolled?: boolean; touch?: boolean },
): Design | null =>
  format === 'f32'
    ? null
    : { design: 'registers', ...{ rows, cols, broadcast: gpu().fixedSubgroup, blocks: true }, ...more };

/** What generation may choose on some device: all rows of a step in one group, which tune.ts tries in these and other widths. */
const FEW: Record<string, (rows: number, format: WeightFormat) => Design | null> = {
  'the chosen design': () => null,
  'lanes of a workgroup, each sum shared by several': (rows) => ({
    design: 'reduce',
    ...{ rows, cols: rows > 4 ? 4 : 8, lanes: 64, subgroup: false },
  }),
  'fewer lanes than sums': (rows) => ({ design: 'reduce', rows, cols: 8, lanes: 32, subgroup: false }),
  'tiles of eight rows': () => ({ design: 'tiled', bm: 8, bn: 64, tm: 2, tn: 4, stage: 'f32' }),
  'registers, whole blocks passed round': (rows, format) => wholeBlocks(rows, format, rows === 1 ? 4 : 2, {}),
  'registers, whole blocks passed round, load by load': (rows, format) =>
    wholeBlocks(rows, format, 2, { rolled: true }),
  'registers, passed round, lines touched first': (rows) => ({
    design: 'registers',
    ...{ rows, cols: 2, broadcast: gpu().fixedSubgroup, touch: true },
  }),
  'registers, whole blocks passed round, lines touched first': (rows, format) =>
    wholeBlocks(rows, format, 2, { touch: true }),
  'registers, two columns': (rows) => ({ design: 'registers', rows, cols: 2, broadcast: 0 }),
};

/** What this device misses for a design; null where it runs. */
function missing(design: string): string | null {
  if (design in HALF_DESIGNS && !gpu().device.features.has('shader-f16')) return 'shader-f16';
  if (/added by the subgroup|passed round/.test(design) && gpu().fixedSubgroup === 0)
    return 'subgroups of one size';
  return null;
}

/** Half floats keep 11 bits of both operands. */
export const limitOf = (design: string): number => (design in HALF_DESIGNS ? 2e-3 : 2e-6);

/** Within a describe: its tests run by this design, and are skipped, which is counted, where the device cannot. */
export function useDesign(design: string, designs: Designs): void {
  skipWhereMissing(design);
  beforeEach(() => preferDesign(designs[design] ?? null));
  afterEach(() => preferDesign(null));
}

function skipWhereMissing(design: string): void {
  beforeEach((test) => {
    const lacks = missing(design);
    if (lacks !== null) test.skip(`This device has no ${lacks}.`);
  });
}

/** These with every format: each lies in memory in words of its own. */
const OF_EVERY_FORMAT = ['the chosen design', 'registers, passed round, lines touched first'];

/** Steps of generation: each design with q4, where blocks have more loads than one with q8. */
export const FEW_CASES = Object.keys(FEW).flatMap((design) =>
  WEIGHT_FORMATS.filter(
    (format) =>
      OF_EVERY_FORMAT.includes(design) || format === (design.endsWith('load by load') ? 'q8' : 'q4'),
  ).map((format) => [design, format] as const),
);

/** As `useDesign`. → to be called with the rows of a step, which tests have several numbers of. */
export function useFew(design: string): (rows: number) => void {
  skipWhereMissing(design);
  afterEach(() => preferDesign(null));
  return (rows) => {
    const together = 2 ** Math.ceil(Math.log2(rows));
    preferDesign((shape) => (shape.vector === 4 ? (FEW[design]?.(together, shape.format) ?? null) : null));
  };
}
