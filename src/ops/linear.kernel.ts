/** linear.ts on the GPU: every part is one of the three products. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import columnSumCode from '../../shaders/columnSum.wgsl?raw';
import { dispatch } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { given, size } from './sizes';
import { lowRankDown, lowRankOuter, outerProductOf } from './product/lowRank';
import { plainRight, product, type Right } from './product/product';
import type { BlockAttrs, LinearAttrs } from './linear';

/** The frozen matrix, or a trained one as a single f32 part. */
function rightOf(w: TensorInfo | undefined, { weight }: Pick<LinearAttrs, 'weight'>): Right {
  return weight ?? plainRight(given(w));
}

export function linearKernel(inputs: NamedTensorInfoMap, attrs: LinearAttrs): TensorInfo[] {
  const { x, xa, w, bias, residual, a, b } = inputs;
  const { scale, segments, unread } = attrs;
  const right = rightOf(w, attrs);
  const m = size(x, 0);
  const u = a ? product({ form: 'nt', left: given(xa ?? x), m, right: plainRight(a) }) : null;
  const lora = u && b ? { low: u, up: b, segments } : undefined;
  const y = unread
    ? output([m, right.n])
    : product({ form: 'nt', left: given(x), m, right, bias, add: residual, scale, lora });
  return u ? [y, u] : [y];
}

export function dxKernel({ dy, w, du, a }: NamedTensorInfoMap, attrs: LinearAttrs): TensorInfo {
  const { scale, segments } = attrs;
  const lora = du && a ? { low: du, up: a, segments } : undefined;
  return product({ form: 'nn', left: given(dy), right: rightOf(w, attrs), m: size(dy, 0), scale, lora });
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
