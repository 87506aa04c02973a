/** The products of an adapter: down through B in the backward pass, and the gradients of A and B. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { gpu } from '../../gpu/inside';
import { output } from '../../gpu/tensors';
import { placed, ranksOf, type Segment } from '../segments';
import { size } from '../sizes';
import { chooseDesign, groupsOf } from './choose';
import { launch, shapeWords, type Place } from './launch';
import { PLAIN, type ProductShape } from './operands';

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
    form: 'nn',
    format: 'f32',
    batches: own.length,
    vector: own.every(({ rows, rank }) => rows % 4 === 0 && rank % 4 === 0) && inFours(segments) ? 4 : 1,
  };
  const widest = Math.max(...own.map(({ rank }) => rank));
  const design = chooseDesign(shape, m, widest, gpu());
  launch({
    shape,
    design,
    bind: [dy, up, result],
    uniforms: own.flatMap(({ rows, rank, first, low, up: at, scale }) =>
      shapeWords({
        m,
        n: rows,
        k: rank,
        scale,
        left: { row: all, at: first },
        right: { row: rank, at },
        result: { row: ranks, at: low },
      }),
    ),
    groups: [...groupsOf(shape, design, m, widest), own.length],
  });
  return result;
}

/** Whether every segment's columns of dy begin at a multiple of four and dy's rows are as wide. */
const inFours = (segments: readonly Segment[]) => segments.every(({ rows }) => rows % 4 === 0);

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
    n: rank,
    k: rows,
    left: { row: size(u, 1), at: low },
    right: { row: all, at: first },
    at: up,
    scale,
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
  const shape: ProductShape = {
    ...PLAIN,
    form: 'tn',
    format: 'f32',
    vector: fours ? 4 : 1,
    flip,
    batches: each.length,
    accumulate: target !== undefined,
  };
  const [n, k] = [Math.max(...each.map((one) => one.n)), Math.max(...each.map((one) => one.k))];
  const design = chooseDesign(shape, n, k, gpu());
  launch({
    shape,
    design,
    bind: [left, right, result],
    uniforms: each.flatMap((one) =>
      shapeWords({
        m,
        n: one.n,
        k: one.k,
        scale: one.scale,
        left: one.left,
        right: one.right,
        result: { row: flip ? one.n : one.k, at: one.at },
      }),
    ),
    groups: [...groupsOf(shape, design, n, k), each.length],
  });
  return result;
}
