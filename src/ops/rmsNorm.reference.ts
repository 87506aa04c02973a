/** The twins of rmsNorm.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { NormAttrs } from './rmsNorm';

const rstd = (x: tf.Tensor, epsilon: number) => tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));

export function rmsNormReference(inputs: Inputs, { epsilon, offset }: NormAttrs): tf.Tensor {
  const { x, g } = need(inputs);
  return plus(tf.mul(tf.mul(x, rstd(x, epsilon)), tf.add(g, offset)), inputs['added']);
}

/** dx = r·(w·dy − x̂ · mean(w·dy·x̂)),  x̂ = r·x, w = offset + g */
export function rmsNormDxReference(inputs: Inputs, { epsilon, offset }: NormAttrs): tf.Tensor {
  const { x, g, dy } = need(inputs);
  const r = rstd(x, epsilon);
  const unit = tf.mul(x, r);
  const scaled = tf.mul(dy, tf.add(g, offset));
  const dx = tf.mul(r, tf.sub(scaled, tf.mul(unit, tf.mean(tf.mul(scaled, unit), -1, true))));
  return plus(dx, inputs['added']);
}

export function rmsNormDgReference(inputs: Inputs, { epsilon }: NormAttrs): tf.Tensor {
  const { x, dy } = need(inputs);
  return tf.sum(tf.mul(dy, tf.mul(x, rstd(x, epsilon))), 0);
}

const plus = (value: tf.Tensor, added: tf.Tensor | undefined) => (added ? tf.add(value, added) : value);

function need({ x, g, dy }: Inputs): { x: tf.Tensor; g: tf.Tensor; dy: tf.Tensor } {
  if (!x || !g) throw new Error('rmsNorm misses an input.');
  return { x, g, dy: dy ?? x };
}
