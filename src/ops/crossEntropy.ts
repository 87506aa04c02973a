/**
 * Log-probability of a target, row by row, and the gradient of the weighted loss:
 *
 *   logp[row] = z[target] − log Σ e^z        loss = −Σ weight[row] · logp[row]
 *   dz[row]   = weight[row] · (softmax(z) − onehot(target))
 *
 * logits z [rows, vocab], targets [rows] int32 (−1: no target, logp 0), weights [rows]. Returns [logp [rows], dz].
 * Not taped: the head makes loss and gradient in one go, because the loss is always the end of the computation.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { defineOperation } from './define';
import { crossEntropyReference } from './crossEntropy.reference';
import { crossEntropyKernel } from './crossEntropy.kernel';

const operation = defineOperation<object>({
  name: 'CrossEntropyRows',
  reference: crossEntropyReference,
  kernel: crossEntropyKernel,
});

export function crossEntropy(
  logits: tf.Tensor,
  targets: tf.Tensor,
  weights: tf.Tensor,
): { logp: tf.Tensor; dz: tf.Tensor } {
  const [logp, dz] = operation({ logits, targets, weights }, {});
  if (!logp || !dz) throw new Error('Cross entropy gave no output.');
  return { logp, dz };
}
