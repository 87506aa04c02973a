/**
 * SwiGLU: a = silu(gate) · up, silu(z) = z / (1 + e^-z)  (Shazeer, arXiv 2002.05202).
 * gate, up, a [rows, cols].
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only } from './define';
import { swigluGradReference, swigluReference } from './swiglu.reference';
import { swigluGradKernel, swigluKernel } from './swiglu.kernel';

const forward = defineOperation<object>({ name: 'Swiglu', reference: swigluReference, kernel: swigluKernel });
const backward = defineOperation<object>({
  name: 'SwigluGrad',
  reference: swigluGradReference,
  kernel: swigluGradKernel,
});

tf.registerGradient({
  kernelName: 'Swiglu',
  inputsToSave: ['gate', 'up'],
  gradFunc: (dy, [gate, up]) => {
    let shared: tf.Tensor[] | null = null;
    const both = (index: number) => {
      const gradient = (shared ??= backward({ gate, up, dy: dy as tf.Tensor }, {}))[index];
      if (!gradient) throw new Error('swiglu gave no gradient.');
      return gradient;
    };
    return { gate: () => both(0), up: () => both(1) };
  },
});

export function swiglu(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return only(forward({ gate, up }, {}));
}
