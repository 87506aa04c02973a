/**
 * The end of the model: final norm, logits and loss of the supervised rows, in chunks, so that logits never fill the memory and
 * nothing is computed where nothing is learned. Loss and gradient are made together, by hand: nothing here is taped.
 */
import * as tf from '@tensorflow/tfjs-core';
import { submit } from '../gpu/inside';
import type { ModelConfig } from '../model/config';
import type { ModelWeights } from '../model/weights';
import { crossEntropy } from '../ops/crossEntropy';
import { linear, linearDx } from '../ops/linear';
import { outerProduct } from '../ops/outerProduct';
import { gatherRows, scatterRows, zerosOnDevice } from '../ops/pickRows';
import { rmsNorm, rmsNormBackward } from '../ops/rmsNorm';
import type { Chunk } from './batch';

type Outside = Pick<ModelWeights, 'norm' | 'head'>;

export type HeadResult = {
  /** [tokens]: log-probability of each target, 0 where there is none */
  logp: tf.Tensor;
  /** [tokens, hidden]: gradient of the loss with respect to the hidden state before the norm */
  dx: tf.Tensor | undefined;
  dNorm: tf.Tensor | undefined;
  dHead: tf.Tensor | undefined;
};

/** hidden [tokens, hidden]; loss = −Σ weights · logp. `want` says which gradients are made. */
export function headLoss(
  config: Pick<ModelConfig, 'norm'>,
  { norm, head }: Outside,
  hidden: tf.Tensor,
  chunks: readonly Chunk[],
  want: { dx: boolean; weights: boolean },
): HeadResult {
  return tf.tidy(() => {
    const [tokens = 0] = hidden.shape;
    let logp = zerosOnDevice([tokens]);
    let dx = want.dx ? zerosOnDevice(hidden.shape) : undefined;
    let dNorm: tf.Tensor | undefined;
    let dHead: tf.Tensor | undefined;
    for (const { at, targets, weights } of chunks) {
      const made = tf.tidy(() => {
        const rows = gatherRows(hidden, at);
        const x = rmsNorm(rows, norm, config.norm);
        const { logp: own, dz } = crossEntropy(linear(x, head), targets, weights, want.dx);
        logp = scatterRows(logp, own, at);
        if (!dz || !dx) return { logp, dx };
        const back = rmsNormBackward(linearDx(dz, head), rows, norm, config.norm, want.weights);
        dx = scatterRows(dx, back.dx, at);
        if (!want.weights) return { logp, dx };
        const dW = outerProduct(dz, x, 1);
        const dg = back.dg;
        return {
          logp,
          dx,
          dHead: dHead ? tf.add(dHead, dW) : dW,
          dNorm: dg && dNorm ? tf.add(dNorm, dg) : dg,
        };
      });
      ({ logp, dx } = made);
      if (made.dHead) ({ dHead, dNorm } = made);
      // the next chunk takes over this one's logits
      if (tf.getBackend() === 'webgpu') submit();
    }
    return { logp, dx, dNorm, dHead };
  });
}
