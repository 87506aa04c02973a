/**
 * Dispatches one matrix product on the GPU: picks tile sizes for the shape and device. Kernels only; the operations built on
 * it (linear, head loss) hold the mathematics and the twins.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { dispatch, floatBits, gpu, output } from '../gpu/dispatch';
import type { WeightFormat } from '../protocol/weightFormats';
import { columnsPerGroup, productSource, type ProductShape } from './product.kernel';
import { rightForm } from './product.right';
import { size } from './sizes';

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
  const width = form === 'nt' ? right.n : right.k;
  const result = output([m, width]);
  right.parts.forEach((part, index) => {
    // in nn every part adds to the same result, and what is added once comes with the first
    const later = form === 'nn' && index > 0;
    const lora = later ? undefined : p.lora;
    const add = later ? undefined : p.add;
    const own = form === 'nt' ? part.rows : right.k;
    const shape = chooseShape({
      form,
      format: right.format,
      vectors: right.k % 4 === 0 && (form === 'nt' || right.n % 4 === 0),
      lora: lora !== undefined,
      bias: p.bias !== undefined,
      add: add !== undefined,
      accumulate: later,
      rows: m,
      width: own,
    });
    const bind = [p.left, ...part.planes];
    if (lora) bind.push(lora.low, lora.up);
    if (p.bias) bind.push(p.bias);
    if (add) bind.push(add);
    const scales = [floatBits(p.scale ?? 1), floatBits(lora?.scale ?? 0)];
    dispatch({
      name: `product-${form}`,
      code: sourceOf(shape),
      bind: [...bind, result],
      uniforms: [m, part.rows, right.k, lora?.rank ?? 0, ...scales, part.row, right.n],
      groups: [Math.ceil(own / columnsPerGroup(shape)), Math.ceil(m / shape.rows), 1],
    });
  });
  return result;
}

/** p [m, n], q [m, k] → scale · pᵀ q [n, k] */
export function outerProductOf(p: TensorInfo, q: TensorInfo, scale: number): TensorInfo {
  const [m, n, k] = [size(p, 0), size(p, 1), size(q, 1)];
  const result = output([n, k]);
  const nothing = { lora: false, bias: false, add: false, accumulate: false };
  const vectors = k % 4 === 0;
  const shape = chooseShape({ form: 'tn', format: 'f32', vectors, ...nothing, rows: n, width: k });
  dispatch({
    name: 'product-tn',
    code: sourceOf(shape),
    bind: [p, q, result],
    uniforms: [m, n, k, 0, floatBits(scale), 0, 0, n],
    groups: [Math.ceil(k / columnsPerGroup(shape)), Math.ceil(n / shape.rows), 1],
  });
  return result;
}

const sources = new Map<string, string>();
function sourceOf(shape: ProductShape): string {
  const key = JSON.stringify(shape);
  let code = sources.get(key);
  if (!code) sources.set(key, (code = productSource(shape)));
  return code;
}

type Wanted = Omit<ProductShape, 'vector' | 'cols' | 'broadcast'> & {
  /** Both contiguous sides are multiples of 4. */
  vectors: boolean;
  /** Columns of the result. */
  width: number;
};

function chooseShape({ vectors, width, rows, ...rest }: Wanted): ProductShape {
  const { fixedSubgroup, software } = gpu();
  const broadcast = software ? fixedSubgroup : 0;
  const vector = vectors ? 4 : 1;
  const own = rest.form === 'nt' ? 1 : rest.form === 'nn' ? rightForm(rest.format, vectors).width : vector;
  const most = rest.form === 'nt' ? 4 : 1;
  const cols = Math.max(1, Math.min(most, Math.ceil(width / ((broadcast || 64) * own))));
  const tile = rows >= 16 && broadcast ? 16 : rows >= 8 ? 8 : rows >= 4 ? 4 : 1;
  return { ...rest, vector, rows: tile, cols, broadcast };
}
