/**
 * Rows of a table: x [rows, hidden] = table [vocab, hidden] at ids [rows] int32. The gradient adds rows up.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { embedGradReference, embedReference } from './embed.reference';
import { embedGradKernel, embedKernel } from './embed.kernel';
import type { Weight } from './linear';

export interface EmbedAttrs {
  vocab: number;
  hidden: number;
  half: boolean;
}

const forward = defineOperation<EmbedAttrs>({
  name: 'Embed',
  reference: embedReference,
  kernel: embedKernel,
});
const backward = defineOperation<EmbedAttrs>({
  name: 'EmbedGrad',
  reference: embedGradReference,
  kernel: embedGradKernel,
});

tf.registerGradient({
  kernelName: 'Embed',
  inputsToSave: ['ids'],
  gradFunc: (dy, [ids], attrs) => ({
    table: () => only(backward({ dy: dy as tf.Tensor, ids }, readAttrs<EmbedAttrs>(attrs))),
  }),
});

export function embed(table: Weight, ids: tf.Tensor): tf.Tensor {
  const attrs = { vocab: table.n, hidden: table.k, half: table.format === 'f16' };
  return only(forward({ table: table.tensor, ids }, attrs));
}
