/**
 * One forward and backward pass with recomputation: the forward keeps the input of each layer and nothing else; the backward walks
 * the layers from the last, computes each again and differentiates it with tf.grads. Gradients are added up in the flat buffer.
 * `wholeStep.ts` is the other way, which keeps everything. Knows nothing of threads, storage or screens.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Block, Trainable } from '../adapter/trainable';
import { submit } from '../gpu/dispatch';
import type { ModelConfig } from '../model/config';
import { decoderLayer, embedTokens } from '../model/decoder';
import { accumulate } from '../ops/flat';
import { trainedWeight } from '../ops/weight';
import type { Batch } from './batch';
import { headLoss } from './head';

export interface Pass {
  /** [tokens] */
  logp: tf.Tensor;
}

/** Adds the gradient of −Σ weights·logp to the flat buffer. Dispose the result's tensors. */
export function forwardBackward(
  config: ModelConfig,
  trainable: Trainable,
  batch: Batch,
  dropoutSeed: tf.Tensor | null,
): Pass {
  const { blocks, flat, direct } = trainable;
  const trainsOutside = blocks.some((block) => typeof block.place !== 'number');
  const lowest = trainsOutside ? 0 : Math.min(...blocks.map((block) => Number(block.place)));
  const add = (block: Block, gradient: tf.Tensor) => {
    if (!direct) accumulate(flat.state, gradient, block.offset);
    gradient.dispose();
  };
  const own = (block: Block) => flat.tensor(block);

  const inputs: tf.Tensor[] = [
    tf.tidy(() => embedTokens(config, trainable.outside(own).embedding, batch.ids)),
  ];
  for (let index = 0; index < config.layers; index++) {
    inputs.push(
      tf.tidy(() => {
        const { norms, linear } = trainable.layer(index, own, dropoutSeed);
        return decoderLayer(config, index, norms, linear, last(inputs), batch.sight);
      }),
    );
    flush();
  }

  const end = inputs.pop();
  if (!end) throw new Error('The model has no layers.');
  const head = tf.tidy(() => {
    const want = { dx: true, weights: trainsOutside };
    return headLoss(config, trainable.outside(own), end, batch.chunks, want);
  });
  end.dispose();
  flush();
  let dy = head.dx;
  if (!dy) throw new Error('The head gave no gradient.');

  for (let index = config.layers - 1; index >= lowest; index--) {
    const x = inputs.pop();
    if (!x) throw new Error(`The input of layer ${index} is missing.`);
    const mine = blocks.filter((block) => block.place === index);
    const needsDx = index > lowest || trainsOutside;
    const result: tf.Tensor[] = backThroughLayer(
      config,
      trainable,
      index,
      mine,
      x,
      dy,
      needsDx,
      batch,
      dropoutSeed,
    );
    tf.dispose([x, dy]);
    const dx: tf.Tensor | undefined = needsDx ? result.shift() : undefined;
    mine.forEach((block, i) => {
      const gradient = result[i];
      if (!gradient) throw new Error(`No gradient for ${nameOf(block)}.`);
      add(block, gradient);
    });
    dy = dx ?? tf.scalar(0);
    flush();
  }
  tf.dispose(inputs);

  if (trainsOutside) addOutside(config, trainable, batch, head, dy, add);
  dy.dispose();
  return { logp: head.logp };
}

function backThroughLayer(
  config: ModelConfig,
  trainable: Trainable,
  index: number,
  mine: Block[],
  x: tf.Tensor,
  dy: tf.Tensor,
  needsDx: boolean,
  batch: Batch,
  dropoutSeed: tf.Tensor | null,
): tf.Tensor[] {
  return tf.tidy(() => {
    const run = (input: tf.Tensor, parameters: tf.Tensor[]) => {
      const at = (block: Block) => {
        const tensor = parameters[mine.indexOf(block)];
        if (!tensor) throw new Error(`${nameOf(block)} does not belong to layer ${index}.`);
        return tensor;
      };
      const { norms, linear } = trainable.layer(index, at, dropoutSeed);
      return decoderLayer(config, index, norms, linear, input, batch.sight, { unread: true });
    };
    const parameters = mine.map((block) => trainable.flat.tensor(block));
    if (needsDx)
      return tf.grads((first, ...rest) => run(first as tf.Tensor, rest as tf.Tensor[]))(
        [x, ...parameters],
        dy,
      );
    return tf.grads((...all) => run(x, all as tf.Tensor[]))(parameters, dy);
  });
}

/** Embedding, final norm and head of full fine-tuning; a tied table gets both its gradients. */
function addOutside(
  config: ModelConfig,
  trainable: Trainable,
  batch: Batch,
  head: ReturnType<typeof headLoss>,
  dx: tf.Tensor,
  add: (block: Block, gradient: tf.Tensor) => void,
): void {
  const find = (place: Block['place']) => trainable.blocks.find((block) => block.place === place);
  const embedding = find('embedding');
  const norm = find('norm');
  if (!embedding || !norm || !head.dNorm || !head.dHead)
    throw new Error('The gradients outside the layers are missing.');
  const [table] = tf.tidy(() => {
    const run = (table: tf.Tensor) => embedTokens(config, trainedWeight(table), batch.ids);
    return tf.grads((t) => run(t as tf.Tensor))([trainable.flat.tensor(embedding)], dx);
  });
  if (table) add(embedding, table);
  add(norm, head.dNorm);
  add(find('head') ?? embedding, head.dHead);
}

function nameOf({ slots: [first] }: Block): string {
  return first?.name ?? 'a block without tensors';
}

/** tfjs frees into its pool only at a submit: one at every layer keeps the peak at one layer. */
function flush(): void {
  if (tf.getBackend() === 'webgpu') submit();
}

function last(list: tf.Tensor[]): tf.Tensor {
  const tensor = list[list.length - 1];
  if (!tensor) throw new Error('The model has no input.');
  return tensor;
}
