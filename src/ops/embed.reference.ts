/** The twins of embed.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { EmbedAttrs, EmbedGradAttrs } from './embed';
import { referenceMatrix } from './linear.reference';

export function embedReference({ table, ids }: Inputs, { weight, scale }: EmbedAttrs): tf.Tensor {
  if (!ids) throw new Error('embed misses an input.');
  const rows = tf.gather(referenceMatrix(table, weight), tf.cast(ids, 'int32'));
  return scale === 1 ? rows : tf.mul(rows, scale);
}

export function embedGradReference({ dy, ids }: Inputs, { vocab, scale }: EmbedGradAttrs): tf.Tensor {
  if (!dy || !ids) throw new Error('embed misses an input.');
  const scaled = scale === 1 ? dy : tf.mul(dy, scale);
  return tf.unsortedSegmentSum(scaled, tf.cast(ids, 'int32') as tf.Tensor1D, vocab);
}
