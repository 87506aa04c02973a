/**
 * Rows of a table: x [rows, hidden] = table [vocab, hidden] at ids [rows] int32. The gradient of a trained table adds rows up.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { embedGradReference, embedReference } from './embed.reference';
import { embedGradKernel, embedKernel } from './embed.kernel';
import type { FrozenWeight, Weight } from './weight';

export interface EmbedAttrs {
  /** The frozen table; null where a trained one comes as the input `table`. */
  weight: FrozenWeight | null;
  vocab: number;
}

const forward = defineOperation<EmbedAttrs>({
  name: 'Embed',
  operation: ({ weight }) => `embed ${weight?.format ?? 'f32'}`,
  reference: embedReference,
  kernel: embedKernel,
});
const backward = defineOperation<{ vocab: number }>({
  name: 'EmbedGrad',
  operation: 'embed f32',
  reference: embedGradReference,
  kernel: embedGradKernel,
});

tf.registerGradient({
  kernelName: 'Embed',
  inputsToSave: ['ids'],
  gradFunc: (dy, [ids], attrs) => ({
    table: () => only(backward({ dy: dy as tf.Tensor, ids }, { vocab: readAttrs<EmbedAttrs>(attrs).vocab })),
  }),
});

export function embed(table: Weight, ids: tf.Tensor): tf.Tensor {
  const vocab = table.n;
  if (table.format !== 'trained') return only(forward({ ids }, { weight: table, vocab }));
  return only(forward({ table: table.tensor, ids }, { weight: null, vocab }));
}
