/**
 * Dispatches one matrix product on the GPU: picks tile sizes for the shape and device. Kernels only; the operations built on
 * it (linear, head loss) hold the mathematics and the twins.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { dispatch, floatBits, gpu, output } from '../gpu/dispatch';
import { columnsPerGroup, productSource, type ProductForm, type ProductShape } from './product.kernel';

export interface Product {
  form: ProductForm;
  /** nt: x [m, k]; nn: dy [m, n]; tn: p [m, n] */
  left: TensorInfo;
  /** nt, nn: w [n, k], f32 or f16 packed two to an int32; tn: q [m, k] */
  right: TensorInfo;
  m: number;
  n: number;
  k: number;
  scale?: number;
  half?: boolean;
  /** nt: low = u [m, rank], up = b [n, rank]; nn: low = du [m, rank], up = a [rank, k] */
  lora?: { low: TensorInfo; up: TensorInfo; rank: number; scale: number };
  bias?: TensorInfo | undefined;
  add?: TensorInfo | undefined;
}

const sources = new Map<string, string>();

/** nt → [m, n], nn → [m, k], tn → [n, k] */
export function product(p: Product): TensorInfo {
  const [rows, width] = p.form === 'nt' ? [p.m, p.n] : p.form === 'nn' ? [p.m, p.k] : [p.n, p.k];
  const result = output([rows, width]);
  const shape = chooseShape(p, rows, width);
  const key = JSON.stringify(shape);
  let code = sources.get(key);
  if (!code) sources.set(key, (code = productSource(shape)));
  const bind = [p.left, p.right];
  if (p.lora) bind.push(p.lora.low, p.lora.up);
  if (p.bias) bind.push(p.bias);
  if (p.add) bind.push(p.add);
  dispatch({
    name: `product-${p.form}`,
    code,
    bind: [...bind, result],
    uniforms: [p.m, p.n, p.k, p.lora?.rank ?? 0, floatBits(p.scale ?? 1), floatBits(p.lora?.scale ?? 0)],
    groups: [Math.ceil(width / columnsPerGroup(shape)), Math.ceil(rows / shape.rows), 1],
  });
  return result;
}

function chooseShape(p: Product, rows: number, width: number): ProductShape {
  const even = (count: number) => count % 4 === 0;
  const vector = even(p.k) && (p.form !== 'nn' || even(p.n)) ? 4 : 1;
  if (p.half && vector !== 4)
    throw new Error(`A 16-bit weight needs sides that are multiples of 4; this one is ${p.n} × ${p.k}.`);
  const { fixedSubgroup, software } = gpu();
  const broadcast = software ? fixedSubgroup : 0;
  const lanes = broadcast || 64;
  const unit = lanes * (p.form === 'nt' ? 1 : vector);
  const most = p.form === 'nt' ? 4 : 1;
  const cols = Math.max(1, Math.min(most, Math.ceil(width / unit)));
  return {
    form: p.form,
    vector,
    half: p.half ?? false,
    lora: p.lora !== undefined,
    bias: p.bias !== undefined,
    add: p.add !== undefined,
    rows: rows >= 16 && broadcast ? 16 : rows >= 8 ? 8 : rows >= 4 ? 4 : 1,
    cols,
    broadcast,
  };
}
