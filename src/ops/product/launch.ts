/** Dispatches one kernel of a product: its name, its text, and the numbers of its struct. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { dispatch, floatBits } from '../../gpu/dispatch';
import { shaderText } from '../../gpu/shaderText';
import { sourceOf, type Design } from './choose';
import type { ProductShape } from './operands';

interface Launch {
  shape: ProductShape;
  design: Design;
  /** In the order of operands.ts. */
  bind: TensorInfo[];
  uniforms: number[];
  groups: [number, number, number];
}

export function launch({ shape, design, ...rest }: Launch): void {
  dispatch({ name: nameOf(shape, design), code: source(shape, design), ...rest });
}

/** Tells apart what runs on a device in lists of kernels and in timings: `product-nt-tiled-f16`. */
const nameOf = ({ form, format }: ProductShape, { design }: Design): string =>
  `product-${form}-${design}-${format}`;

function source(shape: ProductShape, design: Design): string {
  return shaderText('product', JSON.stringify([shape, design]), () => sourceOf(shape, design));
}

/** How far apart the rows of a matrix lie and where it begins, in numbers. */
export interface Place {
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
export function shapeWords({ m, n, k, scale, left, result, ...rest }: Sizes): number[] {
  const { rank = 0, loraScale = 0, chunk = 0, part = 0, right = { row: 0, at: 0 } } = rest;
  const sizes = [m, n, k, rank, floatBits(scale), floatBits(loraScale), chunk, part];
  return [...sizes, left.row, left.at, right.row, right.at, result.row, result.at, 0, 0];
}
