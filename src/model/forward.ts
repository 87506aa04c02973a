/** Runs a model forward: ids to the hidden state before the final norm, and from there to logits. Nothing is taped. */
import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../ops/linear';
import { rmsNorm } from '../ops/rmsNorm';
import { submit } from '../gpu/inside';
import type { ModelConfig } from './config';
import { decoderLayer, embedTokens, type Linear, type Split } from './decoder';
import type { Sight } from './sight';
import type { LayerNorms, ModelWeights } from './weights';

/** Rows from which on what a layer leaves behind is worth a submit of its own: tfjs uses it again only after one. */
const MANY_ROWS = 64;

/** A model ready to run: weights with whatever is adapted already put in. */
export interface Runnable {
  config: ModelConfig;
  outside: Pick<ModelWeights, 'embedding' | 'norm' | 'head'>;
  layer(index: number): {
    norms: LayerNorms;
    linear: Linear;
  };
}

/** ids [rows] → [rows, hidden]. `split` is each layer's way to queries, keys and values. The caller disposes of the result. */
export function hiddenStates(
  { config, outside, layer }: Runnable,
  ids: tf.Tensor,
  sight: Sight,
  split?: (layer: number) => Split,
): tf.Tensor {
  let x = tf.tidy(() => embedTokens(config, outside.embedding, ids));
  for (let index = 0; index < config.layers; index++) {
    const before = x;
    x = tf.tidy(() => {
      const { norms, linear: own } = layer(index);
      return decoderLayer(config, index, norms, own, before, sight, { split: split?.(index), untaped: true });
    });
    before.dispose();
    if (tf.getBackend() === 'webgpu' && ids.size >= MANY_ROWS) submit();
  }
  return x;
}

/** hidden [rows, hidden] → [rows, vocab] */
export function logitsOf({ config, outside }: Runnable, hidden: tf.Tensor): tf.Tensor {
  return tf.tidy(() => linear(rmsNorm(hidden, outside.norm, config.norm), outside.head));
}
