/** The twins of glu.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { GluAttrs } from './glu';

const SLOPE = Math.sqrt(2 / Math.PI);
const CUBE = 0.044715;

export function gluReference({ gate, up }: Inputs, { activation }: GluAttrs): tf.Tensor {
  if (!gate || !up) throw new Error('glu misses an input.');
  return tf.mul(activation === 'silu' ? tf.mul(gate, tf.sigmoid(gate)) : gelu(gate).value, up);
}

/** → [dgate, dup] */
export function gluGradReference({ gate, up, dy }: Inputs, { activation }: GluAttrs): tf.Tensor[] {
  if (!gate || !up || !dy) throw new Error('glu misses an input.');
  const { value, slope } = activation === 'silu' ? silu(gate) : gelu(gate);
  return [tf.mul(tf.mul(dy, up), slope), tf.mul(dy, value)];
}

/** d silu = σ · (1 + z · (1 − σ)) */
function silu(z: tf.Tensor) {
  const sigma = tf.sigmoid(z);
  const slope = tf.mul(sigma, tf.add(1, tf.mul(z, tf.sub(1, sigma))));
  return { value: tf.mul(z, sigma), slope };
}

/** d gelu = ½ (1 + t) + ½ z (1 − t²) √(2/π) (1 + 3 · 0.044715 z²),  t = tanh(√(2/π) (z + 0.044715 z³)) */
function gelu(z: tf.Tensor) {
  const square = tf.square(z);
  const t = tf.tanh(tf.mul(tf.mul(z, tf.add(1, tf.mul(square, CUBE))), SLOPE));
  const inner = tf.mul(tf.add(1, tf.mul(square, 3 * CUBE)), SLOPE);
  const half = tf.mul(tf.add(1, t), 0.5);
  const slope = tf.add(half, tf.mul(tf.mul(tf.mul(z, 0.5), tf.sub(1, tf.square(t))), inner));
  return { value: tf.mul(z, half), slope };
}
