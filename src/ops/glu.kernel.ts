/** glu.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/glu.wgsl?raw';
import backwardCode from '../../shaders/gluGrad.wgsl?raw';
import { dispatch, foldGroups, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import type { GluAttrs } from './glu';

export function gluKernel({ x }: NamedTensorInfoMap, attrs: GluAttrs): TensorInfo {
  const [rows, width] = [size(x, 0), size(x, 1) / 2];
  const a = output([rows, width]);
  run('glu', forwardCode, [given(x), a], rows, width, attrs);
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
  dispatch({
    ...{ name, code, bind, constants: { GELU: activation === 'gelu_tanh' } },
    uniforms: [rows * width, width],
    groups: foldGroups(Math.ceil((rows * width) / 64)),
  });
}
