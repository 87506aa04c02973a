/** The twins of flat.ts in stock TensorFlow.js: new tensors take the place of old ones. */
import * as tf from '@tensorflow/tfjs-core';
import type { AdamwScalars, FlatState } from './flat';

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
  const numbers: ArrayLike<number> = norm.dataSync<'float32'>();
  const [scale, finite] = [numbers[0] ?? 0, numbers[2] ?? 0];
  const { parameters, gradient, mean, square } = state;
  if (finite === 1) {
    const made: tf.Tensor[] = tf.tidy(() => {
      const g = tf.mul(gradient, scale);
      const m1 = tf.add(tf.mul(mean, beta1), tf.mul(g, 1 - beta1));
      const v1 = tf.add(tf.mul(square, beta2), tf.mul(tf.square(g), 1 - beta2));
      const denominator = tf.add(tf.div(tf.sqrt(v1), Math.sqrt(1 - beta2 ** update)), epsilon);
      const move = tf.div(tf.div(m1, 1 - beta1 ** update), denominator);
      const decayed = tf.mul(parameters, 1 - learningRate * weightDecay);
      return [tf.sub(decayed, tf.mul(move, learningRate)), m1, v1];
    });
    const [p, m, v] = made;
    if (!p || !m || !v) throw new Error('AdamW gave no result.');
    Object.assign(state, { parameters: p, mean: m, square: v });
    tf.dispose([parameters, mean, square]);
  }
  state.gradient = tf.zerosLike(gradient);
  gradient.dispose();
}
