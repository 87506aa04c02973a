/**
 * The decoder as functions of its weights. One code for all families; what differs is read from the config. `unread` says that
 * nobody reads the result, only its gradient: the last product of a layer that is computed again is not run.
 * It takes its linear layers as an argument, so it never hears of adapters.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../ops/attention';
import { embed } from '../ops/embed';
import { glu, type Activation } from '../ops/glu';
import { splitHeads } from '../ops/heads';
import type { Weight } from '../ops/weight';
import { branchedNorm, rmsNorm } from '../ops/rmsNorm';
import type { ModelConfig } from './config';
import type { Projection } from './shapes';
import type { Sight } from './sight';
import type { LayerNorms } from './weights';

/**
 * Runs a projection on x [rows, in]; `residual` [rows, out] is added. `unread`: nobody reads the result, only its gradient. `gated`: the
 * result is the gated unit of what the projection makes.
 */
export type Linear = (
  x: tf.Tensor,
  projection: Projection,
  extra?: { residual?: tf.Tensor; unread?: boolean; gated?: Activation },
) => tf.Tensor;

/** How queries, keys and values come out of their product: a cache puts keys and values away and hands back all it holds. */
export type Split = typeof splitHeads;

/** ids [rows] int32 → [rows, hidden] */
export function embedTokens({ embeddingScale }: ModelConfig, table: Weight, ids: tf.Tensor): tf.Tensor {
  return embed(table, ids, embeddingScale);
}

/** x [rows, hidden] → [rows, hidden]; `index` is the layer's, `sight` the model's. `untaped`: nobody asks for its gradient. */
export function decoderLayer(
  config: ModelConfig,
  index: number,
  norms: LayerNorms,
  linear: Linear,
  x: tf.Tensor,
  sight: Sight,
  {
    split = splitHeads,
    unread = false,
    untaped = false,
  }: { split?: Split | undefined; unread?: boolean; untaped?: boolean } = {},
): tf.Tensor {
  const { heads, kvHeads, headDim, norm } = config;
  const own = sight[config.kindOf[index] ?? -1];
  if (!own) throw new Error(`Layer ${index} has no sight.`);
  const { positions, table, ranges } = own;
  // y = before + layer(inner), with a norm on the way where the family has one
  const add = (
    inner: tf.Tensor,
    projection: Projection,
    gain: tf.Tensor | null,
    before: tf.Tensor,
    last = false,
  ) =>
    gain
      ? rmsNorm(linear(inner, projection), gain, norm, { added: before, unread: last })
      : linear(inner, projection, { residual: before, unread: last });

  const [toAttention, x1] = branchedNorm(x, norms.attention, norm);
  const [q, keys, values] = split(
    linear(toAttention, 'qkv_proj'),
    { positions, table, gains: norms.heads },
    { heads, kvHeads, headDim, norm },
  );
  // a cache holds more keys than there are queries
  const together = keys.shape[0] === x.shape[0];
  const attrs = { heads, kvHeads, headDim, together, scale: config.attentionScale };
  const h = add(attention(q, keys, values, ranges, attrs), 'o_proj', norms.attentionOut, x1);
  const [toFeedForward, h1] = branchedNorm(h, norms.feedForward, norm);
  const { activation } = config;
  const a = untaped
    ? linear(toFeedForward, 'gate_up_proj', { gated: activation })
    : glu(linear(toFeedForward, 'gate_up_proj'), activation);
  return add(a, 'down_proj', norms.feedForwardOut, h1, unread);
}
