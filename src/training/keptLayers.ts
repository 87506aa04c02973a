/**
 * The last layers and the head as one tape: what they compute is kept for the way back, and nothing of them is computed twice.
 */
import * as tf from '@tensorflow/tfjs-core';
import { unreadTensor } from '../ops/gradientPlace';
import { headLoss, type HeadResult } from './head';
import { among, blocksOf, throughLayers, type Pass } from './layerRun';

export interface EndResult extends HeadResult {
  /** Of the blocks in the kept layers, in order. */
  gradients: tf.Tensor[];
}

/**
 * x [tokens, hidden] is the input of layer `from`; `from` may be the number of layers, and then only the head is left. `dx` of the
 * result is the gradient of x, there if `want.dx`.
 */
export function throughEnd(
  pass: Pass,
  from: number,
  x: tf.Tensor,
  want: { dx: boolean; weights: boolean },
): EndResult {
  const { config, trainable, batch } = pass;
  const outside = trainable.outside((block) => trainable.flat.tensor(block));
  const span = { from, to: config.layers };
  if (from >= config.layers)
    return { ...tf.tidy(() => headLoss(config, outside, x, batch.chunks, want)), gradients: [] };
  const blocks = blocksOf(trainable, span);
  // customGrad tidies what it does not return, so what its gradient needs is kept
  let head: HeadResult | null = null;
  const loss = (input: tf.Tensor, parameters: tf.Tensor[]) =>
    tf.customGrad((hidden) => {
      const made = headLoss(config, outside, hidden as tf.Tensor, batch.chunks, { ...want, dx: true });
      for (const tensor of Object.values(made)) if (tensor) tf.keep(tensor);
      head = made;
      // the tape ends here, so the gradient of the loss with respect to itself is 1
      return { value: unreadTensor([]), gradFunc: () => made.dx as tf.Tensor };
    })(throughLayers(pass, span, input, among(blocks, parameters)));
  const parameters = blocks.map((block) => trainable.flat.tensor(block));
  const gradients: tf.Tensor[] = tf.tidy(() =>
    want.dx
      ? tf.grads((first, ...rest) => loss(first as tf.Tensor, rest as tf.Tensor[]))([x, ...parameters])
      : tf.grads((...all) => loss(x, all as tf.Tensor[]))(parameters),
  );
  const made = head as HeadResult | null;
  if (!made) throw new Error('The head was not run.');
  if (made.dx && !made.dx.isDisposed) made.dx.dispose();
  return { ...made, dx: want.dx ? gradients.shift() : undefined, gradients };
}
