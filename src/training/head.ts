/**
 * The end of the model: final norm, logits and loss, in chunks of rows so that logits never fill the memory. Loss and gradient
 * are made together, by hand: nothing here is taped.
 */
import * as tf from '@tensorflow/tfjs-core';
import { submit } from '../gpu/dispatch';
import type { ModelConfig } from '../model/config';
import type { ModelWeights } from '../model/weights';
import { crossEntropy } from '../ops/crossEntropy';
import { linear, linearDx, outerProduct } from '../ops/linear';
import { rmsNorm, rmsNormBackward } from '../ops/rmsNorm';

const LOGIT_BYTES = 64 * 2 ** 20;

export function chunkRows(vocab: number): number {
  return Math.min(512, Math.max(32, Math.floor(LOGIT_BYTES / (4 * vocab) / 32) * 32));
}

type Outside = Pick<ModelWeights, 'norm' | 'head'>;

export type HeadResult = {
  /** [tokens]: log-probability of each target, 0 where there is none */
  logp: tf.Tensor;
  /** [tokens, hidden]: gradient of the loss with respect to the hidden state before the norm */
  dx: tf.Tensor | undefined;
  dNorm: tf.Tensor | undefined;
  dHead: tf.Tensor | undefined;
};

/** loss = −Σ weights · logp. `want` says which gradients are made. */
export function headLoss(
  config: ModelConfig,
  { norm, head }: Outside,
  hidden: tf.Tensor,
  targets: tf.Tensor1D,
  weights: tf.Tensor1D,
  want: { dx: boolean; weights: boolean },
): HeadResult {
  return tf.tidy(() => {
    const x = rmsNorm(hidden, norm, config.normEpsilon);
    const rows = x.shape[0] ?? 0;
    const chunk = chunkRows(config.vocab);
    const logps: tf.Tensor[] = [];
    const dxs: tf.Tensor[] = [];
    let dHead: tf.Tensor | undefined;
    for (let start = 0; start < rows; start += chunk) {
      const size = Math.min(chunk, rows - start);
      const whole = size === rows;
      const before = dHead;
      const made = tf.tidy(() => {
        const part = whole ? x : tf.slice(x, [start, 0], [size, -1]);
        const cut = (t: tf.Tensor1D) => (whole ? t : tf.slice(t, start, size));
        const { logp, dz } = crossEntropy(linear(part, head), cut(targets), cut(weights));
        const own = want.weights ? outerProduct(dz, part, 1) : undefined;
        return {
          logp,
          dx: want.dx ? linearDx(dz, head) : undefined,
          dHead: own && before ? tf.add(before, own) : own,
        };
      });
      // the next chunk's logits take the place of these: tfjs frees into its pool only at a submit
      if (tf.getBackend() === 'webgpu') submit();
      logps.push(made.logp);
      if (made.dx) dxs.push(made.dx);
      if (made.dHead) before?.dispose();
      dHead = made.dHead;
    }
    const logp = tf.concat(logps);
    if (!want.dx) return { logp, dx: undefined, dNorm: undefined, dHead };
    const dy = tf.concat(dxs);
    const { dx, dg } = rmsNormBackward(dy, hidden, norm, config.normEpsilon, want.weights);
    return { logp, dx, dNorm: dg, dHead };
  });
}
