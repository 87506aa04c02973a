/** linear.ts on the GPU: every part is one of the three products. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import columnSumCode from '../../shaders/columnSum.wgsl?raw';
import { dispatch, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import { outerProductOf, plainRight, product, type Right } from './product/product';
import type { LinearAttrs } from './linear';

/** The frozen matrix, or a trained one as a single f32 part. */
function rightOf(w: TensorInfo | undefined, { weight }: LinearAttrs): Right {
  return weight ?? plainRight(given(w));
}

export function linearKernel(inputs: NamedTensorInfoMap, attrs: LinearAttrs): TensorInfo[] {
  const { x, w, bias, residual, a, b } = inputs;
  const { scale } = attrs;
  const shared = { form: 'nt', left: given(x), m: size(x, 0) } as const;
  const main = { ...shared, right: rightOf(w, attrs), bias, add: residual };
  if (!a || !b) return [product({ ...main, scale })];
  const u = product({ ...shared, right: plainRight(a) });
  return [product({ ...main, lora: { low: u, up: b, rank: size(a, 0), scale } }), u];
}

export function dxKernel({ dy, w, du, a }: NamedTensorInfoMap, attrs: LinearAttrs): TensorInfo {
  const lora = du && a ? { low: du, up: a, rank: size(a, 0), scale: 1 } : undefined;
  const right = rightOf(w, attrs);
  return product({ form: 'nn', left: given(dy), right, m: size(dy, 0), scale: attrs.scale, lora });
}

export function downKernel({ dy, b }: NamedTensorInfoMap, { scale }: { scale: number }): TensorInfo {
  return product({ form: 'nn', left: given(dy), right: plainRight(given(b)), m: size(dy, 0), scale });
}

export function outerKernel({ p, q }: NamedTensorInfoMap, { scale }: { scale: number }): TensorInfo {
  return outerProductOf(given(p), given(q), scale);
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
