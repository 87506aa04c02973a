/**
 * Root-mean-square norm: y = (offset + g) · x / √(mean(x²) + ε)  (Zhang & Sennrich, arXiv 1910.07467). Gemma's checkpoints keep
 * the gain's distance from 1, so its offset is 1.
 * x [rows, cols], g [cols], y [rows, cols].
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { rmsNormDgReference, rmsNormDxReference, rmsNormReference } from './rmsNorm.reference';
import { rmsNormDgKernel, rmsNormDxKernel, rmsNormKernel } from './rmsNorm.kernel';

export interface NormAttrs {
  epsilon: number;
  offset: 0 | 1;
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

export function rmsNorm(x: tf.Tensor, g: tf.Tensor, attrs: NormAttrs): tf.Tensor {
  return only(forward({ x, g }, attrs));
}

/** The gradients of `rmsNorm` by hand: dx [rows, cols], and dg [cols] where it is wanted. */
export function rmsNormBackward(
  dy: tf.Tensor,
  x: tf.Tensor,
  g: tf.Tensor,
  attrs: NormAttrs,
  wantGain: boolean,
): { dx: tf.Tensor; dg: tf.Tensor | undefined } {
  const given = { dy, x, g };
  return {
    dx: only(backwardX(given, attrs)),
    dg: wantGain ? only(backwardGain(given, attrs)) : undefined,
  };
}
