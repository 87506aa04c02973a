/** Decoder layers as a function of their input and of what is trained in them: what a tape is made of. */
import type * as tf from '@tensorflow/tfjs-core';
import type { Block, Trainable } from '../adapter/trainable';
import type { ModelConfig } from '../model/config';
import { decoderLayer } from '../model/decoder';
import type { Batch } from './batch';

/** One pass over one micro-batch. */
export interface Pass {
  config: ModelConfig;
  trainable: Trainable;
  batch: Batch;
  dropoutSeed: tf.Tensor | null;
}

/** x [tokens, hidden] → [tokens, hidden] through layers `from` … `to` - 1. `at` gives a block's tensor. `unread` as in model/decoder.ts. */
export function throughLayers(
  { config, trainable, batch, dropoutSeed }: Pass,
  { from, to }: { from: number; to: number },
  x: tf.Tensor,
  at: (block: Block) => tf.Tensor,
  unread = false,
): tf.Tensor {
  let y = x;
  for (let index = from; index < to; index++) {
    const { norms, linear } = trainable.layer(index, at, dropoutSeed);
    y = decoderLayer(config, index, norms, linear, y, batch.sight, { unread });
  }
  return y;
}

/** The blocks that lie in layers `from` … `to` - 1, in order. */
export function blocksOf({ blocks }: Trainable, { from, to }: { from: number; to: number }): Block[] {
  return blocks.filter(({ place }) => typeof place === 'number' && place >= from && place < to);
}

/** The tensors given for `blocks`, by block. */
export function among(blocks: readonly Block[], tensors: readonly tf.Tensor[]): (block: Block) => tf.Tensor {
  return (block) => {
    const tensor = tensors[blocks.indexOf(block)];
    if (!tensor) throw new Error(`${nameOf(block)} does not lie in these layers.`);
    return tensor;
  };
}

export function nameOf({ slots: [first] }: Block): string {
  return first?.name ?? 'a block without tensors';
}
