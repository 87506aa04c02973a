/** The twins of linear.ts in stock TensorFlow.js. Weights are f32 here. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';

const matrix = (tensor: tf.Tensor | undefined): tf.Tensor2D => {
  if (!tensor) throw new Error('A twin misses an input.');
  return tensor as tf.Tensor2D;
};

/** → y, and with an adapter also u = x Aᵀ */
export function linearReference(
  { x, w, bias, residual, a, b }: Inputs,
  { scale }: { scale: number },
): tf.Tensor[] {
  const u = a ? tf.matMul(matrix(x), matrix(a), false, true) : null;
  let y: tf.Tensor = tf.matMul(matrix(x), matrix(w), false, true);
  if (!u) y = tf.mul(y, scale);
  if (bias) y = tf.add(y, bias);
  if (residual) y = tf.add(y, residual);
  if (!u) return [y];
  return [tf.add(y, tf.mul(tf.matMul(u, matrix(b), false, true), scale)), u];
}

export function dxReference({ dy, w, du, a }: Inputs, { scale }: { scale: number }): tf.Tensor {
  const dx = tf.mul(tf.matMul(matrix(dy), matrix(w)), scale);
  return du ? tf.add(dx, tf.matMul(matrix(du), matrix(a))) : dx;
}

/** du = scale · dy B */
export function downReference({ dy, b }: Inputs, { scale }: { scale: number }): tf.Tensor {
  return tf.mul(tf.matMul(matrix(dy), matrix(b)), scale);
}

export function outerReference({ p, q }: Inputs, { scale }: { scale: number }): tf.Tensor {
  return tf.mul(tf.matMul(matrix(p), matrix(q), true, false), scale);
}

export function columnSumReference({ dy }: Inputs): tf.Tensor {
  return tf.sum(matrix(dy), 0);
}
