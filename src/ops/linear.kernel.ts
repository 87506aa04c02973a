/** linear.ts on the GPU: every part is one of the three products. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import columnSumCode from '../../shaders/columnSum.wgsl?raw';
import { dispatch, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import { product } from './product';
import type { LinearAttrs } from './linear';

export function linearKernel(inputs: NamedTensorInfoMap, { n, k, half, scale }: LinearAttrs): TensorInfo[] {
  const { x, w, bias, residual, a, b } = inputs;
  const m = size(x, 0);
  const shared = { form: 'nt', left: given(x), m, k } as const;
  const main = { ...shared, right: given(w), n, half, bias, add: residual };
  if (!a || !b) return [product({ ...main, scale })];
  const rank = size(a, 0);
  const u = product({ ...shared, right: a, n: rank });
  return [product({ ...main, lora: { low: u, up: b, rank, scale } }), u];
}

export function dxKernel(
  { dy, w, du, a }: NamedTensorInfoMap,
  { n, k, half, scale }: LinearAttrs,
): TensorInfo {
  const lora = du && a ? { low: du, up: a, rank: size(a, 0), scale: 1 } : undefined;
  const base = { form: 'nn', left: given(dy), right: given(w), m: size(dy, 0), n, k, half, scale } as const;
  return product(lora ? { ...base, lora } : base);
}

export function downKernel({ dy, b }: NamedTensorInfoMap, { scale }: { scale: number }): TensorInfo {
  const sizes = { m: size(dy, 0), n: size(b, 0), k: size(b, 1) };
  return product({ form: 'nn', left: given(dy), right: given(b), ...sizes, scale });
}

export function outerKernel({ p, q }: NamedTensorInfoMap, { scale }: { scale: number }): TensorInfo {
  const sizes = { m: size(p, 0), n: size(p, 1), k: size(q, 1) };
  return product({ form: 'tn', left: given(p), right: given(q), ...sizes, scale });
}

export function columnSumKernel({ dy }: NamedTensorInfoMap): TensorInfo {
  const rows = size(dy, 0);
  const cols = size(dy, 1);
  const sum = output([cols]);
  dispatch({
    name: 'columnSum',
    code: columnSumCode,
    bind: [given(dy), sum],
    uniforms: [rows, cols],
    groups: [Math.ceil(cols / 64), 1, 1],
  });
  return sum;
}
