/** The twins of embed.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { EmbedAttrs } from './embed';

export function embedReference({ table, ids }: Inputs): tf.Tensor {
  if (!table || !ids) throw new Error('embed misses an input.');
  return tf.gather(table, tf.cast(ids, 'int32'));
}

export function embedGradReference({ dy, ids }: Inputs, { vocab }: EmbedAttrs): tf.Tensor {
  if (!dy || !ids) throw new Error('embed misses an input.');
  return tf.unsortedSegmentSum(dy, tf.cast(ids, 'int32') as tf.Tensor1D, vocab);
}
