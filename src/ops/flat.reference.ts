/** The twins of flat.ts in stock TensorFlow.js: what they make takes the place of what was. Nothing is read back. */
import * as tf from '@tensorflow/tfjs-core';
import { replace } from '../gpu/replace';
import type { AdamwScalars, FlatState } from './flat';

export function accumulateReference(state: FlatState, values: tf.Tensor, offset: number): void {
  const before = state.gradient;
  const sum = tf.tidy(() => {
    const after = before.size - offset - values.size;
    const placed = tf.pad(tf.reshape(values, [values.size]), [[offset, after]]);
    return tf.add(before, placed);
  });
  state.gradient = replace(before, sum);
}

export function normReference(gradient: tf.Tensor, clip: number): tf.Tensor {
  return tf.tidy(() => {
    const norm = tf.sqrt(tf.sum(tf.square(gradient)));
    const finite = tf.cast(tf.isFinite(norm), 'float32');
    const scale = clip > 0 ? tf.minimum(1, tf.div(clip, tf.add(norm, 1e-6))) : tf.onesLike(norm);
    return tf.stack([scale, norm, finite]);
  });
}

export function adamwReference(state: FlatState, norm: tf.Tensor, scalars: AdamwScalars): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, update } = scalars;
  const { parameters, gradient, mean, square } = state;
  const made: tf.Tensor[] = tf.tidy(() => {
    const finite = tf.greater(tf.slice(norm, [2], [1]), 0);
    const g = tf.mul(gradient, tf.slice(norm, [0], [1]));
    const m1 = tf.add(tf.mul(mean, beta1), tf.mul(g, 1 - beta1));
    const v1 = tf.add(tf.mul(square, beta2), tf.mul(tf.square(g), 1 - beta2));
    const denominator = tf.add(tf.div(tf.sqrt(v1), Math.sqrt(1 - beta2 ** update)), epsilon);
    const move = tf.div(tf.div(m1, 1 - beta1 ** update), denominator);
    const decayed = tf.mul(parameters, 1 - learningRate * weightDecay);
    const p1 = tf.sub(decayed, tf.mul(move, learningRate));
    return [tf.where(finite, p1, parameters), tf.where(finite, m1, mean), tf.where(finite, v1, square)];
  });
  const [p, m, v] = made;
  if (!p || !m || !v) throw new Error('AdamW gave no result.');
  state.parameters = replace(parameters, p);
  state.mean = replace(mean, m);
  state.square = replace(square, v);
  state.gradient = replace(gradient, tf.zerosLike(gradient));
}
