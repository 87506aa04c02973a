/** The twins of glu.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { Activation, GluAttrs } from './glu';

const SLOPE = Math.sqrt(2 / Math.PI);
const CUBE = 0.044715;

function halves(x: tf.Tensor | undefined): [tf.Tensor, tf.Tensor] {
  if (!x) throw new Error('glu misses an input.');
  const [gate, up] = tf.split(x, 2, 1);
  if (!gate || !up) throw new Error('glu could not split its input.');
  return [gate, up];
}

export function gluReference({ x }: Inputs, { activation }: GluAttrs): tf.Tensor {
  return gatedReference(...halves(x), activation);
}

export function gatedReference(gate: tf.Tensor, up: tf.Tensor, activation: Activation): tf.Tensor {
  return tf.mul(activation === 'silu' ? tf.mul(gate, tf.sigmoid(gate)) : gelu(gate).value, up);
}

export function gluGradReference({ x, dy }: Inputs, { activation }: GluAttrs): tf.Tensor {
  const [gate, up] = halves(x);
  if (!dy) throw new Error('glu misses an input.');
  const { value, slope } = activation === 'silu' ? silu(gate) : gelu(gate);
  return tf.concat([tf.mul(tf.mul(dy, up), slope), tf.mul(dy, value)], 1);
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
