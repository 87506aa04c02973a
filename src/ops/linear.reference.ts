/** The twins of linear.ts in stock TensorFlow.js. Weights are f32 here, whatever they were made from. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { LinearAttrs } from './linear';
import type { FrozenWeight } from './weight';

const matrix = (tensor: tf.Tensor | undefined): tf.Tensor2D => {
  if (!tensor) throw new Error('A twin misses an input.');
  return tensor as tf.Tensor2D;
};

/** [n, k]: the trained matrix, or the frozen one. */
export function referenceMatrix(trained: tf.Tensor | undefined, frozen: FrozenWeight | null): tf.Tensor2D {
  if (!frozen) return matrix(trained);
  const { format, parts, n, k } = frozen;
  if (format !== 'f32' || parts.length !== 1)
    throw new Error(`A twin reads one f32 matrix; this weight is ${format} in ${parts.length} parts.`);
  return tf.reshape(matrix(parts[0]?.planes[0]), [n, k]);
}

/** → y, and with an adapter also u = x Aᵀ */
export function linearReference(
  { x, w, bias, residual, a, b }: Inputs,
  { weight, scale }: LinearAttrs,
): tf.Tensor[] {
  const u = a ? tf.matMul(matrix(x), matrix(a), false, true) : null;
  let y: tf.Tensor = tf.matMul(matrix(x), referenceMatrix(w, weight), false, true);
  if (!u) y = tf.mul(y, scale);
  if (bias) y = tf.add(y, bias);
  if (residual) y = tf.add(y, residual);
  if (!u) return [y];
  return [tf.add(y, tf.mul(tf.matMul(u, matrix(b), false, true), scale)), u];
}

export function dxReference({ dy, w, du, a }: Inputs, { weight, scale }: LinearAttrs): tf.Tensor {
  const dx = tf.mul(tf.matMul(matrix(dy), referenceMatrix(w, weight)), scale);
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
