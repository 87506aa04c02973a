/** The twins of swiglu.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';

export function swigluReference({ gate, up }: Inputs): tf.Tensor {
  if (!gate || !up) throw new Error('swiglu misses an input.');
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

/** → [dgate, dup];  d silu = σ · (1 + z · (1 − σ)) */
export function swigluGradReference({ gate, up, dy }: Inputs): tf.Tensor[] {
  if (!gate || !up || !dy) throw new Error('swiglu misses an input.');
  const sigma = tf.sigmoid(gate);
  const slope = tf.mul(sigma, tf.add(1, tf.mul(gate, tf.sub(1, sigma))));
  return [tf.mul(tf.mul(dy, up), slope), tf.mul(dy, tf.mul(gate, sigma))];
}
