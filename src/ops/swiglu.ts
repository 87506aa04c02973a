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
    // made here, not in a thunk: tfjs tidies every thunk
    const [dgate, dup] = backward({ gate, up, dy: dy as tf.Tensor }, {});
    if (!dgate || !dup) throw new Error('swiglu gave no gradient.');
    return { gate: () => dgate, up: () => dup };
  },
});

export function swiglu(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return only(forward({ gate, up }, {}));
}
