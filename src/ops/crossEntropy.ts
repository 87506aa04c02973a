/**
 * Log-probability of a target, row by row, and the gradient of the weighted loss:
 *
 *   logp[row] = z[target] − log Σ e^z        loss = −Σ weight[row] · logp[row]
 *   dz[row]   = weight[row] · (softmax(z) − onehot(target))
 *
 * logits z [rows, vocab], targets [rows] int32 (−1: no target, logp 0), weights [rows]; logp [rows], dz [rows, vocab].
 * dz takes the place of z: logits are the largest thing in memory, and nothing reads them afterwards. Not taped: the head makes
 * loss and gradient in one go, because the loss is always the end of the computation.
 */
import * as tf from '@tensorflow/tfjs-core';
import code from '../../shaders/crossEntropy.wgsl?raw';
import { dispatch } from '../gpu/dispatch';
import { shaderText } from '../gpu/shaderText';
import { output } from '../gpu/tensors';
import { unroll } from '../gpu/unroll';
import { crossEntropyReference } from './crossEntropy.reference';
import { byRows } from './rows.kernel';
import { wayOf } from './ways';

const text = () => shaderText(code, '', () => unroll(code, { PER_TURN: 4 }));

/** Consumes the logits. `dz` is undefined where no gradient is wanted. */
export function crossEntropy(
  logits: tf.Tensor,
  targets: tf.Tensor,
  weights: tf.Tensor,
  wantGradient: boolean,
): { logp: tf.Tensor; dz: tf.Tensor | undefined } {
  const [rows = 0, vocab = 0] = logits.shape;
  if (tf.getBackend() !== 'webgpu' || wayOf('crossEntropy') === 'stock') {
    const [logp, dz] = tf.tidy(() => crossEntropyReference({ logits, targets, weights }));
    logits.dispose();
    if (!logp || !dz) throw new Error('Cross entropy gave no output.');
    if (!wantGradient) dz.dispose();
    return { logp, dz: wantGradient ? dz : undefined };
  }
  const logp = output([rows]);
  const layout = byRows('crossEntropy', text(), rows, vocab);
  dispatch({
    name: 'crossEntropy',
    ...layout,
    constants: { ...layout.constants, GRADIENT: wantGradient },
    bind: [logits, targets, weights, logp],
    uniforms: [rows, vocab],
    inPlace: [logits],
  });
  if (!wantGradient) logits.dispose();
  return { logp: tf.engine().makeTensorFromTensorInfo(logp), dz: wantGradient ? logits : undefined };
}
