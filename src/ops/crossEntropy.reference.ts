/** The twin of crossEntropy.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';

export function crossEntropyReference({ logits, targets, weights }: Inputs): tf.Tensor[] {
  if (!logits || !targets || !weights) throw new Error('Cross entropy misses an input.');
  const vocab = logits.shape[1] ?? 0;
  const chosen = tf.oneHot(tf.cast(targets, 'int32') as tf.Tensor1D, vocab);
  const supervised = tf.cast(tf.greaterEqual(targets, 0), 'float32');
  const all = tf.logSoftmax(logits);
  const logp = tf.sum(tf.mul(all, chosen), 1);
  const scale = tf.reshape(tf.mul(weights, supervised), [-1, 1]);
  return [logp, tf.mul(scale, tf.sub(tf.exp(all), chosen))];
}
