/** linear.ts on the GPU: every part is one of the three products. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import columnSumCode from '../../shaders/columnSum.wgsl?raw';
import { dispatch } from '../gpu/dispatch';
import { output, release } from '../gpu/tensors';
import { gluKernel } from './glu.kernel';
import { given, size } from './sizes';
import { lowRankDown, lowRankOuter, outerProductOf } from './product/lowRank';
import { canGate, plainRight, product, type Product, type Right } from './product/product';
import type { BlockAttrs, GatedAttrs, LinearAttrs } from './linear.operations';

/** The frozen matrix, or a trained one as a single f32 part. */
function rightOf(w: TensorInfo | undefined, { weight }: Pick<LinearAttrs, 'weight'>): Right {
  return weight ?? plainRight(given(w));
}

/** The product, and u = x Aᵀ where there is an adapter. */
function forward(inputs: NamedTensorInfoMap, attrs: LinearAttrs): { whole: Product; u: TensorInfo | null } {
  const { x, xa, w, bias, residual, a, b } = inputs;
  const { scale, segments } = attrs;
  const m = size(x, 0);
  const u = a ? product({ form: 'nt', left: given(xa ?? x), m, right: plainRight(a) }) : null;
  const lora = u && b ? { low: u, up: b, segments } : undefined;
  const whole = { form: 'nt', left: given(x), m, right: rightOf(w, attrs), bias, scale, lora } as const;
  return { whole: { ...whole, add: residual }, u };
}

export function linearKernel(inputs: NamedTensorInfoMap, attrs: LinearAttrs): TensorInfo[] {
  const { whole, u } = forward(inputs, attrs);
  const y = attrs.unread ? output([whole.m, whole.right.n]) : product(whole);
  return u ? [y, u] : [y];
}

export function gatedLinearKernel(inputs: NamedTensorInfoMap, attrs: GatedAttrs): TensorInfo {
  const { activation } = attrs;
  const { whole, u } = forward(inputs, attrs);
  const together = canGate(whole);
  const y = product(together ? { ...whole, gate: activation } : whole);
  if (u) release(u);
  if (together) return y;
  const a = gluKernel({ x: y }, { activation });
  release(y);
  return a;
}

export function dxKernel({ dy, w, du, a, added }: NamedTensorInfoMap, attrs: LinearAttrs): TensorInfo {
  const { scale, segments } = attrs;
  const lora = du && a ? { low: du, up: a, segments } : undefined;
  const right = rightOf(w, attrs);
  return product({ form: 'nn', left: given(dy), right, m: size(dy, 0), scale, lora, add: added });
}

export function plainDxKernel({ dy, w }: NamedTensorInfoMap): TensorInfo {
  return product({ form: 'nn', left: given(dy), right: plainRight(given(w)), m: size(dy, 0) });
}

export function downKernel({ dy, b }: NamedTensorInfoMap, { segments }: BlockAttrs): TensorInfo {
  return lowRankDown(given(dy), given(b), segments);
}

export function outerKernel({ p, q }: NamedTensorInfoMap, { scale }: { scale: number }): TensorInfo {
  return outerProductOf(given(p), given(q), scale);
}

export function blockOuterKernel({ u, dy }: NamedTensorInfoMap, { segments }: BlockAttrs): TensorInfo {
  return lowRankOuter(given(u), given(dy), segments);
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
