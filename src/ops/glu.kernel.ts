/** glu.ts on the GPU. */
import * as tf from '@tensorflow/tfjs-core';
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/glu.wgsl?raw';
import backwardCode from '../../shaders/gluGrad.wgsl?raw';
import { dispatch, foldGroups, output } from '../gpu/dispatch';
import { given } from './sizes';
import type { GluAttrs } from './glu';

export function gluKernel({ gate, up }: NamedTensorInfoMap, { activation }: GluAttrs): TensorInfo {
  const { shape } = given(gate);
  const count = tf.util.sizeFromShape(shape);
  const a = output(shape);
  dispatch({
    name: 'glu',
    code: forwardCode,
    constants: { GELU: activation === 'gelu_tanh' },
    bind: [given(gate), given(up), a],
    uniforms: [count],
    groups: foldGroups(Math.ceil(count / 64)),
  });
  return a;
}

export function gluGradKernel({ gate, up, dy }: NamedTensorInfoMap, { activation }: GluAttrs): TensorInfo[] {
  const { shape } = given(gate);
  const count = tf.util.sizeFromShape(shape);
  const gradients = [output(shape), output(shape)];
  dispatch({
    name: 'gluGrad',
    code: backwardCode,
    constants: { GELU: activation === 'gelu_tanh' },
    bind: [given(gate), given(up), given(dy), ...gradients],
    uniforms: [count],
    groups: foldGroups(Math.ceil(count / 64)),
  });
  return gradients;
}
