/** rmsNorm.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/rmsNorm.wgsl?raw';
import backwardCode from '../../shaders/rmsNormDx.wgsl?raw';
import gainCode from '../../shaders/rmsNormDg.wgsl?raw';
import { dispatch, floatBits, output } from '../gpu/dispatch';
import { byRows } from './rows.kernel';
import { given, size } from './sizes';
import type { NormAttrs } from './rmsNorm';

export function rmsNormKernel({ x, g }: NamedTensorInfoMap, { epsilon, offset }: NormAttrs): TensorInfo {
  const [rows, cols] = [size(x, 0), size(x, 1)];
  const y = output([rows, cols]);
  dispatch({
    name: 'rmsNorm',
    ...byRows(forwardCode, rows, cols),
    bind: [given(x), given(g), y],
    uniforms: [rows, cols, floatBits(epsilon), floatBits(offset)],
  });
  return y;
}

export function rmsNormDxKernel(
  { x, g, dy }: NamedTensorInfoMap,
  { epsilon, offset }: NormAttrs,
): TensorInfo {
  const [rows, cols] = [size(x, 0), size(x, 1)];
  const dx = output([rows, cols]);
  dispatch({
    name: 'rmsNormDx',
    ...byRows(backwardCode, rows, cols),
    bind: [given(x), given(g), given(dy), dx],
    uniforms: [rows, cols, floatBits(epsilon), floatBits(offset)],
  });
  return dx;
}

/** One workgroup does it all: only full fine-tuning of tiny models runs this. */
export function rmsNormDgKernel({ x, dy }: NamedTensorInfoMap, { epsilon }: NormAttrs): TensorInfo {
  const [rows, cols] = [size(x, 0), size(x, 1)];
  const dg = output([cols]);
  dispatch({
    name: 'rmsNormDg',
    code: gainCode,
    bind: [given(x), given(dy), dg],
    uniforms: [rows, cols, floatBits(epsilon)],
    groups: [1, 1, 1],
  });
  return dg;
}
