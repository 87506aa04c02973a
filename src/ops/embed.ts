/**
 * Rows of a table: x [rows, hidden] = scale · table [vocab, hidden] at ids [rows] int32. The gradient of a trained table adds rows up.
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
  /** On every number; some families have one. */
  scale: number;
}

export type EmbedGradAttrs = Omit<EmbedAttrs, 'weight'>;

const forward = defineOperation<EmbedAttrs>({
  name: 'Embed',
  operation: ({ weight }) => `embed ${weight?.format ?? 'f32'}`,
  reference: embedReference,
  kernel: embedKernel,
});
const backward = defineOperation<EmbedGradAttrs>({
  name: 'EmbedGrad',
  operation: 'embed f32',
  reference: embedGradReference,
  kernel: embedGradKernel,
});

tf.registerGradient({
  kernelName: 'Embed',
  inputsToSave: ['ids'],
  gradFunc: (dy, [ids], attrs) => {
    const { vocab, scale } = readAttrs<EmbedAttrs>(attrs);
    return { table: () => only(backward({ dy: dy as tf.Tensor, ids }, { vocab, scale })) };
  },
});

export function embed(table: Weight, ids: tf.Tensor, scale = 1): tf.Tensor {
  const vocab = table.n;
  if (table.format !== 'trained') return only(forward({ ids }, { weight: table, vocab, scale }));
  return only(forward({ table: table.tensor, ids }, { weight: null, vocab, scale }));
}
