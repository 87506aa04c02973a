/**
 * One forward and backward pass. Of the last layers everything is kept for the way back (keptLayers.ts); of those before them only
 * the input is, and each is computed again and differentiated with tf.grads. Gradients are added up in the flat buffer. Knows
 * nothing of threads, storage or screens.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Block, Trainable } from '../adapter/trainable';
import { submit } from '../gpu/inside';
import type { ModelConfig } from '../model/config';
import { embedTokens } from '../model/decoder';
import { accumulate } from '../ops/flat';
import { fromHalves, toHalves } from '../ops/halves';
import { trainedWeight } from '../ops/weight';
import type { Keeping } from '../protocol/settings';
import type { Batch } from './batch';
import { throughEnd, type EndResult } from './keptLayers';
import { among, blocksOf, nameOf, throughLayers, type Pass } from './layerRun';

const LEAST_KEPT: Keeping = { keptLayers: 0, halfInputs: false };

/** Adds the gradient of −Σ weights·logp to the flat buffer. logp [tokens] is the caller's to dispose of. */
export function forwardBackward(
  config: ModelConfig,
  trainable: Trainable,
  batch: Batch,
  dropoutSeed: tf.Tensor | null,
  { keptLayers, halfInputs }: Keeping = LEAST_KEPT,
): { logp: tf.Tensor } {
  const pass: Pass = { config, trainable, batch, dropoutSeed };
  const { blocks, flat, direct } = trainable;
  const trainsOutside = blocks.some((block) => typeof block.place !== 'number');
  const lowest = trainsOutside ? 0 : Math.min(...blocks.map((block) => Number(block.place)));
  // below the lowest that is trained nothing goes back, so nothing is kept for it
  const firstKept = Math.max(lowest, config.layers - keptLayers);
  const add = (block: Block, gradient: tf.Tensor | undefined) => {
    if (!gradient) throw new Error(`No gradient for ${nameOf(block)}.`);
    if (!direct) accumulate(flat.state, gradient, block.offset);
    gradient.dispose();
  };
  const own = (block: Block) => flat.tensor(block);

  const inputs: tf.Tensor[] = [];
  let x = tf.tidy(() => embedTokens(config, trainable.outside(own).embedding, batch.ids));
  const { shape } = x;
  for (let index = 0; index < firstKept; index++) {
    const input = x;
    x = tf.tidy(() => throughLayers(pass, { from: index, to: index + 1 }, input, own));
    inputs.push(halfInputs ? toHalves(input) : input);
    if (halfInputs) input.dispose();
    flush();
  }

  const needsDx = firstKept > lowest || trainsOutside;
  const end = throughEnd(pass, firstKept, x, { dx: needsDx, weights: trainsOutside });
  x.dispose();
  blocksOf(trainable, { from: firstKept, to: config.layers }).forEach((block, i) =>
    add(block, end.gradients[i]),
  );
  flush();

  let dy = end.dx;
  for (let index = firstKept - 1; index >= lowest; index--) {
    const waiting = inputs.pop();
    if (!waiting || !dy) throw new Error(`The input or the gradient of layer ${index} is missing.`);
    const input = halfInputs ? fromHalves(waiting, shape) : waiting;
    if (halfInputs) waiting.dispose();
    const { dx, gradients } = backThroughLayer(pass, index, input, dy, index > lowest || trainsOutside);
    tf.dispose([input, dy]);
    blocksOf(trainable, { from: index, to: index + 1 }).forEach((block, i) => add(block, gradients[i]));
    dy = dx;
    flush();
  }
  tf.dispose(inputs);

  if (trainsOutside) addOutside(pass, end, dy, add);
  dy?.dispose();
  return { logp: end.logp };
}

function backThroughLayer(
  pass: Pass,
  index: number,
  x: tf.Tensor,
  dy: tf.Tensor,
  needsDx: boolean,
): { dx: tf.Tensor | undefined; gradients: tf.Tensor[] } {
  const span = { from: index, to: index + 1 };
  const mine = blocksOf(pass.trainable, span);
  const run = (input: tf.Tensor, parameters: tf.Tensor[]) =>
    throughLayers(pass, span, input, among(mine, parameters), true);
  const parameters = mine.map((block) => pass.trainable.flat.tensor(block));
  const gradients: tf.Tensor[] = tf.tidy(() =>
    needsDx
      ? tf.grads((first, ...rest) => run(first as tf.Tensor, rest as tf.Tensor[]))([x, ...parameters], dy)
      : tf.grads((...all) => run(x, all as tf.Tensor[]))(parameters, dy),
  );
  return { dx: needsDx ? gradients.shift() : undefined, gradients };
}

/** Embedding, final norm and head of full fine-tuning; a tied table gets both its gradients. */
function addOutside(
  { config, trainable, batch }: Pass,
  { dNorm, dHead }: EndResult,
  dx: tf.Tensor | undefined,
  add: (block: Block, gradient: tf.Tensor | undefined) => void,
): void {
  const find = (place: Block['place']) => trainable.blocks.find((block) => block.place === place);
  const embedding = find('embedding');
  const norm = find('norm');
  if (!embedding || !norm || !dNorm || !dHead || !dx)
    throw new Error('The gradients outside the layers are missing.');
  const [table] = tf.tidy(() => {
    const run = (table: tf.Tensor) => embedTokens(config, trainedWeight(table), batch.ids);
    return tf.grads((t) => run(t as tf.Tensor))([trainable.flat.tensor(embedding)], dx);
  });
  if (table) add(embedding, table);
  add(norm, dNorm);
  add(find('head') ?? embedding, dHead);
}

/** tfjs frees into its pool only at a submit: one at every layer keeps the peak at one layer. */
function flush(): void {
  if (tf.getBackend() === 'webgpu') submit();
}
