/**
 * Gated linear unit: a = act(gate) · up  (Shazeer, arXiv 2002.05202).
 * SwiGLU: silu(z) = z / (1 + e^-z). GeGLU: gelu in its tanh form, ½ z (1 + tanh(√(2/π) (z + 0.044715 z³)))
 * (Hendrycks & Gimpel, arXiv 1606.08415), which is gelu_pytorch_tanh.
 * x [rows, 2 · cols]: gate and up side by side, as one product gives them. a [rows, cols].
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { gluGradReference, gluReference } from './glu.reference';
import { gluGradKernel, gluKernel } from './glu.kernel';

export type Activation = 'silu' | 'gelu_tanh';

export interface GluAttrs {
  activation: Activation;
}

const forward = defineOperation<GluAttrs>({
  name: 'Glu',
  operation: 'glu',
  reference: gluReference,
  kernel: gluKernel,
});
const backward = defineOperation<GluAttrs>({
  name: 'GluGrad',
  operation: 'glu',
  reference: gluGradReference,
  kernel: gluGradKernel,
});

tf.registerGradient({
  kernelName: 'Glu',
  inputsToSave: ['x'],
  gradFunc: (dy, [x], attrs) => ({
    x: () => only(backward({ x, dy: dy as tf.Tensor }, readAttrs<GluAttrs>(attrs))),
  }),
});

export function glu(x: tf.Tensor, activation: Activation): tf.Tensor {
  return only(forward({ x }, { activation }));
}
