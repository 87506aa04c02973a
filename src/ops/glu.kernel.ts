/** glu.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/glu.wgsl?raw';
import backwardCode from '../../shaders/gluGrad.wgsl?raw';
import gatedCode from '../../shaders/shared/gated.wgsl?raw';
import { dispatch, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { inNumbers } from './numbers';
import { given, size } from './sizes';
import type { GluAttrs } from './glu';

export function gluKernel({ x }: NamedTensorInfoMap, attrs: GluAttrs): TensorInfo {
  const [rows, width] = [size(x, 0), size(x, 1) / 2];
  const a = output([rows, width]);
  run('glu', `${gatedCode}\n${forwardCode}`, [given(x), a], rows, width, attrs);
  return a;
}

export function gluGradKernel({ x, dy }: NamedTensorInfoMap, attrs: GluAttrs): TensorInfo {
  const [rows, width] = [size(dy, 0), size(dy, 1)];
  const dx = output([rows, 2 * width]);
  run('gluGrad', backwardCode, [given(x), given(dy), dx], rows, width, attrs);
  return dx;
}

function run(
  name: string,
  code: string,
  bind: TensorInfo[],
  rows: number,
  width: number,
  { activation }: GluAttrs,
): void {
  const { each, ...text } = inNumbers(code, width);
  const count = (rows * width) / each;
  dispatch({
    ...{ name, bind, constants: { GELU: activation === 'gelu_tanh' }, ...text },
    uniforms: [count, width / each],
    groups: foldGroups(Math.ceil(count / 64)),
  });
}
