/**
 * Gated linear unit: a = act(gate) · up  (Shazeer, arXiv 2002.05202).
 * SwiGLU: silu(z) = z / (1 + e^-z). GeGLU: gelu in its tanh form, ½ z (1 + tanh(√(2/π) (z + 0.044715 z³)))
 * (Hendrycks & Gimpel, arXiv 1606.08415), which is gelu_pytorch_tanh.
 * gate, up, a [rows, cols].
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { gluGradReference, gluReference } from './glu.reference';
import { gluGradKernel, gluKernel } from './glu.kernel';

export type Activation = 'silu' | 'gelu_tanh';

export interface GluAttrs {
  activation: Activation;
}

const forward = defineOperation<GluAttrs>({ name: 'Glu', reference: gluReference, kernel: gluKernel });
const backward = defineOperation<GluAttrs>({
  name: 'GluGrad',
  reference: gluGradReference,
  kernel: gluGradKernel,
});

tf.registerGradient({
  kernelName: 'Glu',
  inputsToSave: ['gate', 'up'],
  gradFunc: (dy, [gate, up], attrs) => {
    // made here, not in a thunk: tfjs tidies every thunk
    const [dgate, dup] = backward({ gate, up, dy: dy as tf.Tensor }, readAttrs<GluAttrs>(attrs));
    if (!dgate || !dup) throw new Error('glu gave no gradient.');
    return { gate: () => dgate, up: () => dup };
  },
});

export function glu(gate: tf.Tensor, up: tf.Tensor, activation: Activation): tf.Tensor {
  return only(forward({ gate, up }, { activation }));
}
