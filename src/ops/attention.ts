/**
 * Grouped-query attention over ranges of keys:
 *
 *   o[i] = Σj softmax_j(scale · q[i] · k[j]) v[j]     for first[i] ≤ j ≤ last[i]
 *
 * q, o [rows, heads · d]; k, v [keys, kvHeads · d]. `ranges` [3, rows] int32: first and last key that a query sees, and, for
 * the gradient, the last query that sees the key of the same index. Causal order, sliding windows, packed documents and a
 * KV cache are all such ranges, so no mask is ever stored. Scores are not stored either (FlashAttention, arXiv 2205.14135).
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, readAttrs } from './define';
import { attentionGradReference, attentionReference } from './attention.reference';
import { attentionGradKernel, attentionKernel } from './attention.kernel';

export interface AttentionAttrs {
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Neighbouring queries see overlapping keys, in order: true for packed rows, false for a cache of several sequences. */
  together: boolean;
  /** Which of two kernels runs on the GPU, to test and to time both; chosen by the device when absent. */
  form?: 'lanes' | 'tiles';
  /** 1/√d where none is given. */
  scale?: number;
}

const part = ({ together }: AttentionAttrs) => (together ? 'attention' : 'attentionApart');

/** → [o, lse], lse [rows, heads]: the logarithm of each softmax' denominator */
const forward = defineOperation<AttentionAttrs>({
  name: 'RangeAttention',
  operation: part,
  reference: attentionReference,
  kernel: attentionKernel,
});
const backward = defineOperation<AttentionAttrs>({
  name: 'RangeAttentionGrad',
  operation: part,
  reference: attentionGradReference,
  kernel: attentionGradKernel,
});

tf.registerGradient({
  kernelName: 'RangeAttention',
  inputsToSave: ['q', 'k', 'v', 'ranges'],
  outputsToSave: [true, true],
  gradFunc: (dys, saved, attrs) => {
    const [q, k, v, ranges, o, lse] = saved;
    const [dy] = dys as tf.Tensor[];
    // made here, not in a thunk: tfjs tidies every thunk
    const inputs = { q, k, v, ranges, o, lse, dy };
    const [dq, dk, dv] = backward(inputs, readAttrs<AttentionAttrs>(attrs));
    if (!dq || !dk || !dv) throw new Error('Attention gave no gradient.');
    return { q: () => dq, k: () => dk, v: () => dv };
  },
});

export function attention(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  ranges: tf.Tensor,
  attrs: AttentionAttrs,
): tf.Tensor {
  if (attrs.headDim % 4 !== 0) throw new Error(`A head size of ${attrs.headDim} is not a multiple of 4.`);
  const [o] = forward({ q, k, v, ranges }, attrs);
  if (!o) throw new Error('Attention gave no output.');
  return o;
}
