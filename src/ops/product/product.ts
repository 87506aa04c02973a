/**
 * Dispatches one matrix product on the GPU. Kernels only; the operations built on it (linear, head loss) hold the mathematics and
 * the twins.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import sumPartsCode from '../../../shaders/sumParts.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../../gpu/dispatch';
import { gpu } from '../../gpu/inside';
import { release, output } from '../../gpu/tensors';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Activation } from '../glu';
import { placed, ranksOf, type Segment } from '../segments';
import { size } from '../sizes';
import { chooseDesign, groupsOf, type Design } from './choose';
import { launch, shapeWords } from './launch';
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
  /** nt, for a product that `canGate`: the columns are gates, then their ups. */
  gate?: Activation | undefined;
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

/** Whether one dispatch makes this nt product and joins gates with ups. */
export function canGate(p: Product): boolean {
  const { right, m } = p;
  if (right.parts.length > 1 || p.add) return false;
  const design = chooseDesign(shapeOf(p, false), m, right.n, gpu());
  return (
    (design.design === 'reduce' || (design.design === 'registers' && design.depth === undefined)) &&
    design.cols % 2 === 0
  );
}

/** nt → [m, n], or [m, n / 2] of gates and ups; nn → [m, k] */
export function product(p: Product): TensorInfo {
  const { form, right, m } = p;
  const nt = form === 'nt';
  const result = output([m, nt ? right.n / (p.gate ? 2 : 1) : right.k]);
  right.parts.forEach((part, index) => {
    const width = nt ? part.rows : right.k;
    // in nn every part adds to the same result
    const first = shapeOf(p, !nt && index > 0);
    const design = chooseDesign(first, m, width, gpu());
    const length = nt ? right.k : part.rows;
    const shares =
      nt && right.parts.length > 1 ? 1 : sharesOf(design, groupsOf(first, design, m, width), length);
    if (shares > 1)
      return inShares(p, part, { design, shares, length, width, result, add: !nt && index > 0 });
    const depth = (design.design === 'registers' && design.depth) || length;
    for (let from = 0; from < length; from += depth) {
      const shape = from > 0 ? shapeOf(p, true) : first;
      const count = Math.min(depth, length - from);
      pass(p, part, { shape, design, from, count, width, result, groups: 1 });
    }
  });
  return result;
}

/** `later`: adds to what is in the result; what is added once has come with the first. */
function shapeOf({ form, right, lora, bias, add, gate }: Product, later: boolean): ProductShape {
  const nt = form === 'nt';
  // written out: this is asked for every product, and copying from another object takes several times as long
  return {
    form,
    format: right.format,
    vector: right.k % 4 === 0 && (nt || right.n % 4 === 0) ? 4 : 1,
    accumulate: later,
    lora: !later && lora !== undefined,
    bias: !later && bias !== undefined,
    add: !later && add !== undefined,
    flip: false,
    segments: later || !nt ? 1 : Math.max(1, lora?.segments.length ?? 0),
    gate: gate ?? null,
    batches: 1,
  };
}

/** Workgroups that keep a graphics card busy. */
const ENOUGH_GROUPS = 256;
/** Steps of the contraction that are worth a group of their own: fewer, and adding up the shares costs more than it gains. */
const LEAST_SHARE = 1024;

/** Shares into which the contraction goes where the result alone makes too few groups to keep a graphics card busy. */
function sharesOf(design: Design, [across, down]: [number, number], length: number): number {
  if (design.design !== 'tiled') return 1;
  const wanted = Math.ceil((design.enough ?? ENOUGH_GROUPS) / (across * down));
  return Math.max(1, Math.min(wanted, Math.floor(length / LEAST_SHARE)));
}

interface Shared {
  design: Design;
  shares: number;
  /** Of the contraction, and of the result. */
  length: number;
  width: number;
  result: TensorInfo;
  /** Whether the sum is added to what is in the result. */
  add: boolean;
}

/** Each share of the contraction makes a result of its own; these are added up in their order, so that every run gives the same. */
function inShares(p: Product, part: Right['parts'][number], way: Shared): void {
  const { design, shares, length, width, result, add } = way;
  const count = Math.ceil(length / (64 * shares)) * 64;
  const groups = Math.ceil(length / count);
  const parts = output([groups, p.m, width]);
  const shape = add ? { ...shapeOf(p, true), accumulate: false } : shapeOf(p, false);
  const own: Design = design.design === 'tiled' ? { ...design, shared: true } : design;
  pass(p, part, { shape, design: own, from: 0, count, length, width, result: parts, groups });
  sumParts(parts, result, groups, add);
}

/** Adds up `count` results that lie one after the other. Gives `parts` back. */
function sumParts(parts: TensorInfo, result: TensorInfo, count: number, add: boolean): void {
  const each = parts.shape.reduce((product, side) => product * side, 1) / count;
  dispatch({
    name: 'sumParts',
    code: sumPartsCode,
    constants: { ADD: add },
    bind: [parts, result],
    uniforms: [each, count],
    groups: foldGroups(Math.ceil(each / 64)),
  });
  release(parts);
}

/** One dispatch of a product: `count` steps of the contraction from step `from` of a part on, for each group along z. */
function pass(
  { left, right, m, scale = 1, lora, bias, add }: Product,
  { row, rows, planes }: Right['parts'][number],
  { shape, design, from, count, length = count, width, result, groups }: Pass,
): void {
  const { n, k } = right;
  const nt = shape.form === 'nt';
  const segments = nt && shape.lora && lora ? lora.segments : [];
  const [only] = segments;
  const words = shapeWords({
    m,
    k,
    scale,
    n: nt ? rows : length,
    chunk: count,
    part: m * width,
    rank: shape.lora && lora ? ranksOf(lora.segments) : 0,
    loraScale: nt ? (only?.scale ?? 0) : 1,
    left: nt ? { row: k, at: from } : { row: n, at: row + from },
    right: { row: k, at: nt ? 0 : from * k },
    result: nt ? { row: shape.gate ? n / 2 : n, at: row } : { row: k, at: 0 },
  });
  const bind = [left, ...planes];
  if (shape.lora && lora) bind.push(lora.low, lora.up);
  if (shape.bias && bias) bind.push(bias);
  if (shape.add && add) bind.push(add);
  bind.push(result);
  const [across, down] = groupsOf(shape, design, m, width);
  launch({
    shape,
    design,
    bind,
    uniforms: segments.length > 1 ? [...words, ...segmentWords(segments)] : words,
    groups: [across, down, groups],
  });
}

interface Pass {
  shape: ProductShape;
  design: Design;
  from: number;
  count: number;
  /** Steps of all groups together; `count` where absent. */
  length?: number;
  /** Of the result. */
  width: number;
  result: TensorInfo;
  /** Along z. */
  groups: number;
}

/** A segment's struct: `up` is where row 0 of the weight would lie, so it may wrap below zero. */
function segmentWords(segments: readonly Segment[]): number[] {
  return placed(segments).flatMap(({ first, rows, low, rank, up, scale }) => {
    const origin = (up - first * rank) >>> 0;
    return [first + rows, low, rank, origin, floatBits(scale), 0, 0, 0];
  });
}
