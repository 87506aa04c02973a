/** dropout.ts on the GPU. */
import * as tf from '@tensorflow/tfjs-core';
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import code from '../../shaders/dropout.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { given } from './sizes';
import type { DropoutAttrs } from './dropout';

export function dropoutKernel({ x, seed }: NamedTensorInfoMap, { p, place }: DropoutAttrs): TensorInfo {
  const { shape } = given(x);
  const count = tf.util.sizeFromShape(shape);
  const y = output(shape);
  dispatch({
    name: 'dropout',
    code,
    bind: [given(x), given(seed), y],
    uniforms: [count, place, Math.round(p * 2 ** 24), floatBits(1 / (1 - p))],
    groups: foldGroups(Math.ceil(count / 64)),
  });
  return y;
}
