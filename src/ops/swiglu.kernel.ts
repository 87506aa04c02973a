/** swiglu.ts on the GPU. */
import * as tf from '@tensorflow/tfjs-core';
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/swiglu.wgsl?raw';
import backwardCode from '../../shaders/swigluGrad.wgsl?raw';
import { dispatch, foldGroups, output } from '../gpu/dispatch';
import { given } from './sizes';

export function swigluKernel({ gate, up }: NamedTensorInfoMap): TensorInfo {
  const { shape } = given(gate);
  const count = tf.util.sizeFromShape(shape);
  const a = output(shape);
  dispatch({
    name: 'swiglu',
    code: forwardCode,
    bind: [given(gate), given(up), a],
    uniforms: [count],
    groups: foldGroups(Math.ceil(count / 64)),
  });
  return a;
}

export function swigluGradKernel({ gate, up, dy }: NamedTensorInfoMap): TensorInfo[] {
  const { shape } = given(gate);
  const count = tf.util.sizeFromShape(shape);
  const gradients = [output(shape), output(shape)];
  dispatch({
    name: 'swigluGrad',
    code: backwardCode,
    bind: [given(gate), given(up), given(dy), ...gradients],
    uniforms: [count],
    groups: foldGroups(Math.ceil(count / 64)),
  });
  return gradients;
}
