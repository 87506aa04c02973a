/**
 * Dispatches one matrix product on the GPU. Kernels only; the operations built on it (linear, head loss) hold the mathematics and
 * the twins.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import sumPartsCode from '../../../shaders/sumParts.wgsl?raw';
import { release, dispatch, floatBits, foldGroups, gpu, output } from '../../gpu/dispatch';
import { shaderText } from '../../gpu/shaderText';
import type { WeightFormat } from '../../protocol/weightFormats';
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
  /** nt: low = u [m, rank], up = b [n, rank]; nn: low = du [m, rank], up = a [rank, k] */
  lora?: { low: TensorInfo; up: TensorInfo; rank: number; scale: number } | undefined;
  bias?: TensorInfo | undefined;
  add?: TensorInfo | undefined;
}

export function plainRight(matrix: TensorInfo): Right {
  const [n, k] = [size(matrix, 0), size(matrix, 1)];
  return { format: 'f32', n, k, parts: [{ row: 0, rows: n, planes: [matrix] }] };
}

/** nt → [m, n], nn → [m, k] */
export function product(p: Product): TensorInfo {
  const { form, right, m } = p;
  const result = output([m, form === 'nt' ? right.n : right.k]);
  const vector = right.k % 4 === 0 && (form === 'nt' || right.n % 4 === 0) ? 4 : 1;
  right.parts.forEach((part, index) => {
    // in nn every part adds to the same result, and what is added once comes with the first
    const later = form === 'nn' && index > 0;
    const lora = later ? undefined : p.lora;
    const add = later ? undefined : p.add;
    const shape: ProductShape = {
      form,
      format: right.format,
      vector,
      lora: lora !== undefined,
      bias: p.bias !== undefined,
      add: add !== undefined,
      accumulate: later,
      flip: false,
    };
    const bind = [p.left, ...part.planes];
    if (lora) bind.push(lora.low, lora.up);
    if (p.bias) bind.push(p.bias);
    if (add) bind.push(add);
    const width = form === 'nt' ? part.rows : right.k;
    const design = chooseDesign(shape, m, width, gpu());
    const scales = [floatBits(p.scale ?? 1), floatBits(lora?.scale ?? 0)];
    dispatch({
      name: nameOf(shape, design),
      code: source(shape, design),
      bind: [...bind, result],
      uniforms: [m, part.rows, right.k, lora?.rank ?? 0, ...scales, part.row, right.n, 0],
      groups: [...groupsOf(shape, design, m, width), 1],
    });
  });
  return result;
}

/** Workgroups that keep a graphics card busy. */
const ENOUGH_GROUPS = 256;
/** Rows that are worth a group of their own. */
const LEAST_CHUNK = 64;

/** p [m, n], q [m, k] → scale · pᵀ q [n, k] */
export function outerProductOf(p: TensorInfo, q: TensorInfo, scale: number): TensorInfo {
  // lanes lie along the wider of the two, so a narrow q changes places with p and the result is written turned
  const flip = size(q, 1) < size(p, 1);
  const [left, right] = flip ? [q, p] : [p, q];
  const [m, n, k] = [size(left, 0), size(left, 1), size(right, 1)];
  const nothing = { lora: false, bias: false, add: false, accumulate: false };
  const vector = k % 4 === 0 ? 4 : 1;
  const shape: ProductShape = { form: 'tn', format: 'f32', vector, ...nothing, flip };
  const design = chooseDesign(shape, n, k, gpu());
  const groups = groupsOf(shape, design, n, k);
  const wanted = gpu().software ? 1 : Math.ceil(ENOUGH_GROUPS / (groups[0] * groups[1]));
  const splits = Math.max(1, Math.min(wanted, Math.floor(m / LEAST_CHUNK)));
  const chunk = Math.ceil(m / splits);
  const result = output(flip ? [k, n] : [n, k]);
  const parts = splits === 1 ? result : output([splits, n * k]);
  dispatch({
    name: nameOf(shape, design),
    code: source(shape, design),
    bind: [left, right, parts],
    uniforms: [m, n, k, 0, floatBits(scale), 0, 0, n, chunk],
    groups: [...groups, splits],
  });
  if (splits > 1) {
    dispatch({
      name: 'sumParts',
      code: sumPartsCode,
      bind: [parts, result],
      uniforms: [n * k, splits],
      groups: foldGroups(Math.ceil((n * k) / 64)),
    });
    release(parts);
  }
  return result;
}

/** Tells apart what runs on a device in lists of kernels and in timings: `product-nt-tiled-f16`. */
const nameOf = ({ form, format }: ProductShape, { design }: Design): string =>
  `product-${form}-${design}-${format}`;

function source(shape: ProductShape, design: Design): string {
  return shaderText('product', JSON.stringify([shape, design]), () => sourceOf(shape, design));
}
