/** glu.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/glu.wgsl?raw';
import backwardCode from '../../shaders/gluGrad.wgsl?raw';
import gatedCode from '../../shaders/shared/gated.wgsl?raw';
import { dispatch, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { shaderText } from '../gpu/shaderText';
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
  const [type, numbers] = width % 4 === 0 ? (['vec4f', 4] as const) : (['f32', 1] as const);
  const count = (rows * width) / numbers;
  dispatch({
    ...{ name, bind, constants: { GELU: activation === 'gelu_tanh' } },
    code: shaderText(code, type, () => `alias Numbers = ${type};\n${code}`),
    uniforms: [count, width / numbers],
    groups: foldGroups(Math.ceil(count / 64)),
  });
}
