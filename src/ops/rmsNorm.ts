/**
 * Root-mean-square norm: y = (offset + g) · x / √(mean(x²) + ε)  (Zhang & Sennrich, arXiv 1910.07467). Gemma's checkpoints keep
 * the gain's distance from 1, so its offset is 1.
 * x [rows, cols], g [cols], y [rows, cols].
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { rmsNormDgReference, rmsNormDxReference, rmsNormReference } from './rmsNorm.reference';
import { branchedNormKernel, rmsNormDgKernel, rmsNormDxKernel, rmsNormKernel } from './rmsNorm.kernel';

export interface NormAttrs {
  epsilon: number;
  offset: 0 | 1;
}

export interface RmsNormAttrs extends NormAttrs {
  /** Nobody reads y, only its gradient is wanted: on the GPU nothing is run. */
  unread?: boolean;
}

const forward = defineOperation<RmsNormAttrs>({
  name: 'RmsNorm',
  operation: 'rmsNorm',
  reference: rmsNormReference,
  kernel: rmsNormKernel,
});
const branched = defineOperation<NormAttrs>({
  name: 'BranchedRmsNorm',
  operation: 'rmsNorm',
  reference: (inputs, attrs) => {
    if (!inputs['x']) throw new Error('rmsNorm misses an input.');
    return [rmsNormReference(inputs, attrs), tf.clone(inputs['x'])];
  },
  kernel: branchedNormKernel,
});
const backwardX = defineOperation<NormAttrs>({
  name: 'RmsNormDx',
  operation: 'rmsNorm',
  reference: rmsNormDxReference,
  kernel: rmsNormDxKernel,
});
const backwardGain = defineOperation<NormAttrs>({
  name: 'RmsNormDg',
  operation: 'rmsNorm',
  reference: rmsNormDgReference,
  kernel: rmsNormDgKernel,
});

tf.registerGradient({
  kernelName: 'RmsNorm',
  inputsToSave: ['x', 'g'],
  gradFunc: (dy, [x, g], attrs) => {
    const options = readAttrs<RmsNormAttrs>(attrs);
    const given = { dy: dy as tf.Tensor, x, g };
    return {
      x: () => only(backwardX(given, options)),
      g: () => only(backwardGain(given, options)),
      added: () => tf.clone(given.dy),
    };
  },
});

tf.registerGradient({
  kernelName: 'BranchedRmsNorm',
  inputsToSave: ['x', 'g'],
  gradFunc: (dys, [x, g], attrs) => {
    const options = readAttrs<NormAttrs>(attrs);
    const [dy, added] = dys as tf.Tensor[];
    return {
      x: () => only(backwardX({ dy, x, g, added }, options)),
      g: () => only(backwardGain({ dy, x, g }, options)),
    };
  },
});

/** `added` [rows, cols] is added to the result. */
export function rmsNorm(
  x: tf.Tensor,
  g: tf.Tensor,
  { epsilon, offset }: NormAttrs,
  { added, unread = false }: { added?: tf.Tensor; unread?: boolean } = {},
): tf.Tensor {
  return only(forward({ x, g, added }, { epsilon, offset, unread }));
}

/**
 * → [norm of x, x]: where x goes two ways, into the norm and past it. Whoever reads the second result gets the sum of both
 * gradients from one kernel.
 */
export function branchedNorm(x: tf.Tensor, g: tf.Tensor, attrs: NormAttrs): [tf.Tensor, tf.Tensor] {
  const [y, same] = branched({ x, g }, attrs);
  if (!y || !same) throw new Error('A norm gave no result.');
  return [y, same];
}

/** The gradients of `rmsNorm` by hand: dx [rows, cols], and dg [cols] where it is wanted. */
export function rmsNormBackward(
  dy: tf.Tensor,
  x: tf.Tensor,
  g: tf.Tensor,
  attrs: NormAttrs,
  wantGain: boolean,
): { dx: tf.Tensor; dg: tf.Tensor | undefined } {
  return {
    dx: only(backwardX({ dy, x, g }, attrs)),
    dg: wantGain ? rmsNormGain(dy, x, g, attrs) : undefined,
  };
}

/** dg [cols] */
export function rmsNormGain(dy: tf.Tensor, x: tf.Tensor, g: tf.Tensor, attrs: NormAttrs): tf.Tensor {
  return only(backwardGain({ dy, x, g }, attrs));
}
