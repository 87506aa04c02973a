/**
 * Dispatches one matrix product on the GPU. Kernels only; the operations built on it (linear, head loss) hold the mathematics and
 * the twins.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import sumPartsCode from '../../../shaders/sumParts.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../../gpu/dispatch';
import { gpu } from '../../gpu/inside';
import { release, output } from '../../gpu/tensors';
import { shaderText } from '../../gpu/shaderText';
import type { WeightFormat } from '../../protocol/weightFormats';
import { placed, ranksOf, type Segment } from '../segments';
import { size } from '../sizes';
import { chooseDesign, groupsOf, sourceOf, type Design } from './choose';
import type { ProductShape } from './operands';

/** The right operand [n, k] of nt and nn, in parts that each can be bound. */
export interface Right {
  format: WeightFormat;
  n: number;
  k: number;
  parts: { row: number; rows: number; planes: TensorInfo[] }[];
}

export interface Product {
  form: 'nt' | 'nn';
  /** nt: x [m, k]; nn: dy [m, n] */
  left: TensorInfo;
  right: Right;
  m: number;
  scale?: number;
  lora?: LowRankPart | undefined;
  bias?: TensorInfo | undefined;
  add?: TensorInfo | undefined;
}

/**
 * nt: low = u [m, ranks], up = the block of B's, one for each segment of the n columns.
 * nn: low = du [m, ranks], up = A [ranks, k]; segments and their scales play no part.
 */
interface LowRankPart {
  low: TensorInfo;
  up: TensorInfo;
  segments: readonly Segment[];
}

export function plainRight(matrix: TensorInfo): Right {
  const [n, k] = [size(matrix, 0), size(matrix, 1)];
  return { format: 'f32', n, k, parts: [{ row: 0, rows: n, planes: [matrix] }] };
}

const PLAIN = {
  ...{ lora: false, bias: false, add: false, accumulate: false, flip: false },
  ...{ segments: 1, batches: 1 },
};

/** nt → [m, n], nn → [m, k] */
export function product(p: Product): TensorInfo {
  const { form, right, m } = p;
  const nt = form === 'nt';
  const result = output([m, nt ? right.n : right.k]);
  const vector = right.k % 4 === 0 && (nt || right.n % 4 === 0) ? 4 : 1;
  right.parts.forEach((part, index) => {
    const width = nt ? part.rows : right.k;
    const of = (later: boolean): ProductShape => ({
      ...PLAIN,
      ...{ form, format: right.format, vector, accumulate: later },
      // what is added once comes with the first
      ...(later ? {} : { lora: p.lora !== undefined, bias: p.bias !== undefined, add: p.add !== undefined }),
      segments: later || !nt ? 1 : Math.max(1, p.lora?.segments.length ?? 0),
    });
    // in nn every part adds to the same result
    const design = chooseDesign(of(!nt && index > 0), m, width, gpu());
    const length = nt ? right.k : part.rows;
    const depth = (design.design === 'registers' && design.depth) || length;
    for (let from = 0; from < length; from += depth) {
      const shape = of(from > 0 || (!nt && index > 0));
      const count = Math.min(depth, length - from);
      pass(p, part, { shape, design, from, count, width, result });
    }
  });
  return result;
}

/** One dispatch of a product: `count` steps of the contraction from step `from` of a part on. */
function pass(
  { left, right, m, scale = 1, lora, bias, add }: Product,
  { row, rows, planes }: Right['parts'][number],
  { shape, design, from, count, width, result }: Pass,
): void {
  const { n, k } = right;
  const nt = shape.form === 'nt';
  const segments = nt && shape.lora && lora ? lora.segments : [];
  const [only] = segments;
  const words = shapeWords({
    ...{ m, k, scale, n: nt ? rows : count, chunk: count },
    ...{ rank: shape.lora && lora ? ranksOf(lora.segments) : 0, loraScale: nt ? (only?.scale ?? 0) : 1 },
    left: nt ? { row: k, at: from } : { row: n, at: row + from },
    right: { row: k, at: nt ? 0 : from * k },
    result: nt ? { row: n, at: row } : { row: k, at: 0 },
  });
  const bind = [left, ...planes];
  if (shape.lora && lora) bind.push(lora.low, lora.up);
  if (shape.bias && bias) bind.push(bias);
  if (shape.add && add) bind.push(add);
  dispatch({
    name: nameOf(shape, design),
    code: source(shape, design),
    bind: [...bind, result],
    uniforms: segments.length > 1 ? [...words, ...segmentWords(segments)] : words,
    groups: [...groupsOf(shape, design, m, width), 1],
  });
}

interface Pass {
  shape: ProductShape;
  design: Design;
  from: number;
  count: number;
  /** Of the result. */
  width: number;
  result: TensorInfo;
}

/**
 * dy [m, Σ rows], the block of B's → du [m, Σ rank]: for each segment its columns of dy times its B, times its scale. One dispatch.
 */
export function lowRankDown(dy: TensorInfo, up: TensorInfo, segments: readonly Segment[]): TensorInfo {
  const [m, all] = [size(dy, 0), size(dy, 1)];
  const ranks = ranksOf(segments);
  const result = output([m, ranks]);
  const own = placed(segments).filter(({ rank }) => rank > 0);
  const shape: ProductShape = {
    ...PLAIN,
    ...{ form: 'nn', format: 'f32', batches: own.length },
    vector: own.every(({ rows, rank }) => rows % 4 === 0 && rank % 4 === 0) && inFours(segments) ? 4 : 1,
  };
  const widest = Math.max(...own.map(({ rank }) => rank));
  const design = chooseDesign(shape, m, widest, gpu());
  dispatch({
    name: nameOf(shape, design),
    code: source(shape, design),
    bind: [dy, up, result],
    uniforms: own.flatMap(({ rows, rank, first, low, up: at, scale }) =>
      shapeWords({
        ...{ m, n: rows, k: rank, scale, left: { row: all, at: first } },
        ...{ right: { row: rank, at }, result: { row: ranks, at: low } },
      }),
    ),
    groups: [...groupsOf(shape, design, m, widest), own.length],
  });
  return result;
}

/** Whether every segment's columns of dy begin at a multiple of four and dy's rows are as wide. */
const inFours = (segments: readonly Segment[]) => segments.every(({ rows }) => rows % 4 === 0);

/** Workgroups that keep a graphics card busy. */
const ENOUGH_GROUPS = 256;
/** Rows that are worth a group of their own. */
const LEAST_CHUNK = 64;

/** p [m, n], q [m, k] → scale · pᵀ q [n, k]; into `target`, which it is added to, where one is given. */
export function outerProductOf(p: TensorInfo, q: TensorInfo, scale: number, target?: TensorInfo): TensorInfo {
  // lanes lie along the wider of the two, so a narrow q changes places with p and the result is written turned
  const flip = size(q, 1) < size(p, 1);
  const [left, right] = flip ? [q, p] : [p, q];
  const [m, n, k] = [size(left, 0), size(left, 1), size(right, 1)];
  const one = { n, k, left: { row: n, at: 0 }, right: { row: k, at: 0 }, at: 0, scale };
  return outerProducts(left, right, [one], { m, flip, shape: flip ? [k, n] : [n, k] }, target);
}

/**
 * u [m, Σ rank], dy [m, Σ rows] → the block of the gradients of B, [rows, rank] for each segment: its scale times its columns of dy
 * against its columns of u. Added to `target` where one is given.
 */
export function lowRankOuter(
  u: TensorInfo,
  dy: TensorInfo,
  segments: readonly Segment[],
  target?: TensorInfo,
): TensorInfo {
  const [m, all] = [size(dy, 0), size(dy, 1)];
  const own = placed(segments).filter(({ rank }) => rank > 0);
  const each = own.map(({ rows, rank, first, low, up, scale }) => ({
    ...{
      n: rank,
      k: rows,
      left: { row: size(u, 1), at: low },
      right: { row: all, at: first },
      at: up,
      scale,
    },
  }));
  const count = own.reduce((sum, { rows, rank }) => sum + rows * rank, 0);
  return outerProducts(u, dy, each, { m, flip: true, shape: [count] }, target);
}

interface Outer {
  n: number;
  k: number;
  left: Place;
  right: Place;
  /** Where its result begins. */
  at: number;
  scale: number;
}

function outerProducts(
  left: TensorInfo,
  right: TensorInfo,
  each: Outer[],
  { m, flip, shape: resultShape }: { m: number; flip: boolean; shape: number[] },
  target: TensorInfo | undefined,
): TensorInfo {
  const fours = each.every(({ k, right: { row, at } }) => k % 4 === 0 && row % 4 === 0 && at % 4 === 0);
  const result = target ?? output(resultShape);
  const count = resultShape.reduce((product, side) => product * side, 1);
  const of = (accumulate: boolean): ProductShape => ({
    ...PLAIN,
    ...{ form: 'tn', format: 'f32', vector: fours ? 4 : 1, flip, batches: each.length, accumulate },
  });
  const [n, k] = [Math.max(...each.map((one) => one.n)), Math.max(...each.map((one) => one.k))];
  const design = chooseDesign(of(false), n, k, gpu());
  const groups = groupsOf(of(false), design, n, k);
  const wanted = gpu().software ? 1 : Math.ceil(ENOUGH_GROUPS / (groups[0] * groups[1] * each.length));
  const splits = Math.max(1, Math.min(wanted, Math.floor(m / LEAST_CHUNK)));
  const chunk = Math.ceil(m / splits);
  const parts = splits === 1 ? result : output([splits, count]);
  const shape = of(splits === 1 && target !== undefined);
  dispatch({
    name: nameOf(shape, design),
    code: source(shape, design),
    bind: [left, right, parts],
    uniforms: each.flatMap((one) =>
      shapeWords({
        ...{ m, chunk, part: count, n: one.n, k: one.k, scale: one.scale, left: one.left, right: one.right },
        result: { row: flip ? one.n : one.k, at: one.at },
      }),
    ),
    groups: [...groups, splits * each.length],
  });
  if (splits > 1) {
    dispatch({
      name: 'sumParts',
      code: sumPartsCode,
      constants: { ADD: target !== undefined },
      bind: [parts, result],
      uniforms: [count, splits],
      groups: foldGroups(Math.ceil(count / 64)),
    });
    release(parts);
  }
  return result;
}

/** How far apart the rows of a matrix lie and where it begins, in numbers. */
interface Place {
  row: number;
  at: number;
}

interface Sizes {
  m: number;
  n: number;
  k: number;
  scale: number;
  rank?: number;
  loraScale?: number;
  chunk?: number;
  part?: number;
  left: Place;
  right?: Place;
  result: Place;
}

/** The struct of operands.ts. */
function shapeWords({ m, n, k, scale, left, result, ...rest }: Sizes): number[] {
  const { rank = 0, loraScale = 0, chunk = 0, part = 0, right = { row: 0, at: 0 } } = rest;
  const sizes = [m, n, k, rank, floatBits(scale), floatBits(loraScale), chunk, part];
  return [...sizes, left.row, left.at, right.row, right.at, result.row, result.at, 0, 0];
}

/** A segment's struct: `up` is where row 0 of the weight would lie, so it may wrap below zero. */
function segmentWords(segments: readonly Segment[]): number[] {
  return placed(segments).flatMap(({ first, rows, low, rank, up, scale }) => {
    const origin = (up - first * rank) >>> 0;
    return [first + rows, low, rank, origin, floatBits(scale), 0, 0, 0];
  });
}

/** Tells apart what runs on a device in lists of kernels and in timings: `product-nt-tiled-f16`. */
const nameOf = ({ form, format }: ProductShape, { design }: Design): string =>
  `product-${form}-${design}-${format}`;

function source(shape: ProductShape, design: Design): string {
  return shaderText('product', JSON.stringify([shape, design]), () => sourceOf(shape, design));
}
