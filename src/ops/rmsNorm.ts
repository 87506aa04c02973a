/**
 * Root-mean-square norm: y = g · x / √(mean(x²) + ε)  (Zhang & Sennrich, arXiv 1910.07467).
 * x [rows, cols], g [cols], y [rows, cols].
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { rmsNormDgReference, rmsNormDxReference, rmsNormReference } from './rmsNorm.reference';
import { rmsNormDgKernel, rmsNormDxKernel, rmsNormKernel } from './rmsNorm.kernel';

export interface NormAttrs {
  epsilon: number;
}

const forward = defineOperation<NormAttrs>({
  name: 'RmsNorm',
  reference: rmsNormReference,
  kernel: rmsNormKernel,
});
const backwardX = defineOperation<NormAttrs>({
  name: 'RmsNormDx',
  reference: rmsNormDxReference,
  kernel: rmsNormDxKernel,
});
const backwardGain = defineOperation<NormAttrs>({
  name: 'RmsNormDg',
  reference: rmsNormDgReference,
  kernel: rmsNormDgKernel,
});

tf.registerGradient({
  kernelName: 'RmsNorm',
  inputsToSave: ['x', 'g'],
  gradFunc: (dy, [x, g], attrs) => {
    const options = readAttrs<NormAttrs>(attrs);
    const given = { dy: dy as tf.Tensor, x, g };
    return {
      x: () => only(backwardX(given, options)),
      g: () => only(backwardGain(given, options)),
    };
  },
});

export function rmsNorm(x: tf.Tensor, g: tf.Tensor, epsilon: number): tf.Tensor {
  return only(forward({ x, g }, { epsilon }));
}

/** The gradients of `rmsNorm` by hand: dx [rows, cols], and dg [cols] where it is wanted. */
export function rmsNormBackward(
  dy: tf.Tensor,
  x: tf.Tensor,
  g: tf.Tensor,
  epsilon: number,
  wantGain: boolean,
): { dx: tf.Tensor; dg: tf.Tensor | undefined } {
  const given = { dy, x, g };
  return {
    dx: only(backwardX(given, { epsilon })),
    dg: wantGain ? only(backwardGain(given, { epsilon })) : undefined,
  };
}
