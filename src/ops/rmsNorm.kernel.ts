/** rmsNorm.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/rmsNorm.wgsl?raw';
import backwardCode from '../../shaders/rmsNormDx.wgsl?raw';
import gainCode from '../../shaders/rmsNormDg.wgsl?raw';
import { dispatch, floatBits } from '../gpu/dispatch';
import { output, sameTensor } from '../gpu/tensors';
import { inNumbers } from './numbers';
import { byRows } from './rows.kernel';
import { given, size } from './sizes';
import type { NormAttrs, RmsNormAttrs } from './rmsNorm';

export function rmsNormKernel(inputs: NamedTensorInfoMap, { unread, ...attrs }: RmsNormAttrs): TensorInfo {
  const { x, g, added } = inputs;
  const y = output([size(x, 0), size(x, 1)]);
  if (!unread) run('rmsNorm', forwardCode, [given(x), given(g), given(added ?? x), y], attrs, added);
  return y;
}

/** The norm, and x itself once more. */
export function branchedNormKernel(inputs: NamedTensorInfoMap, attrs: NormAttrs): TensorInfo[] {
  return [rmsNormKernel(inputs, attrs), sameTensor(given(inputs['x']))];
}

export function rmsNormDxKernel({ x, g, dy, added }: NamedTensorInfoMap, attrs: NormAttrs): TensorInfo {
  const dx = output([size(x, 0), size(x, 1)]);
  run('rmsNormDx', backwardCode, [given(x), given(g), given(dy), given(added ?? dy), dx], attrs, added);
  return dx;
}

/** Where nothing is added, what is bound in its place is not read. */
function run(
  name: string,
  code: string,
  bind: [TensorInfo, ...TensorInfo[]],
  { epsilon, offset }: NormAttrs,
  added: TensorInfo | undefined,
): void {
  const [rows, cols] = [size(bind[0], 0), size(bind[0], 1)];
  const { code: text, each } = inNumbers(code, cols);
  const { constants, ...layout } = byRows('rmsNorm', text, rows, cols);
  dispatch({
    ...{ name, ...layout, constants: { ...constants, ADD: added !== undefined }, bind },
    uniforms: [rows, cols / each, floatBits(epsilon), floatBits(offset)],
  });
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
