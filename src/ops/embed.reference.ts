/** The twins of embed.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { EmbedAttrs } from './embed';
import { referenceMatrix } from './linear.reference';

export function embedReference({ table, ids }: Inputs, { weight }: EmbedAttrs): tf.Tensor {
  if (!ids) throw new Error('embed misses an input.');
  return tf.gather(referenceMatrix(table, weight), tf.cast(ids, 'int32'));
}

export function embedGradReference({ dy, ids }: Inputs, { vocab }: { vocab: number }): tf.Tensor {
  if (!dy || !ids) throw new Error('embed misses an input.');
  return tf.unsortedSegmentSum(dy, tf.cast(ids, 'int32') as tf.Tensor1D, vocab);
}
