/** The twin of sampleToken.ts. Nothing is read back. */
import * as tf from '@tensorflow/tfjs-core';
import type { Sampling } from './sampleToken';

/** logits [rows, vocab], draws [rows] → ids [rows] int32 */
export function sampleTokenReference(
  logits: tf.Tensor,
  draws: tf.Tensor,
  { temperature, topP }: Sampling,
): tf.Tensor {
  return tf.tidy(() => {
    const largest = tf.argMax(logits, 1);
    if (temperature === 0) return largest;
    const weights = tf.exp(tf.div(tf.sub(logits, tf.max(logits, 1, true)), temperature));
    const inside = topP < 1 ? tf.greaterEqual(weights, nucleusEdge(weights, topP)) : null;
    const kept = inside ? tf.mul(weights, tf.cast(inside, 'float32')) : weights;
    const target = tf.mul(tf.reshape(draws, [-1, 1]), tf.sum(kept, 1, true));
    // as many as have not passed the target stand before the first that has
    const id = tf.sum(tf.cast(tf.lessEqual(tf.cumsum(kept, 1), target), 'int32'), 1);
    return tf.where(tf.less(id, tf.scalar(logits.shape[1] ?? 0, 'int32')), id, largest);
  });
}

/** The smallest weight of the smallest set that reaches `topP` of the sum; 0, which keeps all, where rounding leaves none. */
function nucleusEdge(weights: tf.Tensor, topP: number): tf.Tensor {
  const { values } = tf.topk(weights, weights.shape[1] ?? 0);
  const reached = tf.greaterEqual(tf.cumsum(values, 1), tf.mul(tf.sum(weights, 1, true), topP));
  return tf.max(tf.where(reached, values, tf.zerosLike(values)), 1, true);
}
