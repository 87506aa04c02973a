/**
 * The decoder as functions of its weights. One code for all families; what differs is read from the config.
 * It takes its linear layers as an argument, so it never hears of adapters.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../ops/attention';
import { embed } from '../ops/embed';
import { glu } from '../ops/glu';
import type { Weight } from '../ops/weight';
import { rmsNorm, type NormAttrs } from '../ops/rmsNorm';
import { rope } from '../ops/rope';
import { splitColumns } from '../ops/splitColumns';
import type { Target } from '../protocol/settings';
import type { ModelConfig } from './config';
import type { LayerSight, Sight } from './sight';
import type { LayerNorms } from './weights';

/** Runs the linear layer `target` on x [rows, in]; `residual` [rows, out] is added. */
export type Linear = (x: tf.Tensor, target: Target, residual?: tf.Tensor) => tf.Tensor;

/** Where keys and values go on their way to attention: a cache puts them away and hands back all it holds. */
export type KeepKeys = (keys: tf.Tensor, values: tf.Tensor) => [tf.Tensor, tf.Tensor];

const passOn: KeepKeys = (keys, values) => [keys, values];

/** ids [rows] int32 → [rows, hidden] */
export function embedTokens({ embeddingScale }: ModelConfig, table: Weight, ids: tf.Tensor): tf.Tensor {
  const x = embed(table, ids);
  return embeddingScale === 1 ? x : tf.mul(x, embeddingScale);
}

/** x [rows, hidden] → [rows, hidden]; `index` is the layer's, `sight` the model's. */
export function decoderLayer(
  config: ModelConfig,
  index: number,
  norms: LayerNorms,
  linear: Linear,
  x: tf.Tensor,
  sight: Sight,
  keep: KeepKeys = passOn,
): tf.Tensor {
  const { heads, kvHeads, headDim, norm } = config;
  const own = sight[config.kindOf[index] ?? -1];
  if (!own) throw new Error(`Layer ${index} has no sight.`);
  const turn = (y: tf.Tensor, count: number, gain: tf.Tensor | null) =>
    turned(headNorm(y, gain, headDim, norm), own, count, headDim);
  // y = x + layer(inner), with a norm on the way where the family has one
  const add = (inner: tf.Tensor, target: Target, gain: tf.Tensor | null, before: tf.Tensor) =>
    gain ? tf.add(before, rmsNorm(linear(inner, target), gain, norm)) : linear(inner, target, before);

  const [queries, fresh, freshValues] = projections(config, linear, rmsNorm(x, norms.attention, norm));
  const q = turn(queries, heads, norms.query);
  const [keys, values] = keep(turn(fresh, kvHeads, norms.key), freshValues);
  // a cache holds more keys than there are queries
  const together = keys.shape[0] === x.shape[0];
  const attrs = { heads, kvHeads, headDim, together, scale: config.attentionScale };
  const h = add(attention(q, keys, values, own.ranges, attrs), 'o_proj', norms.attentionOut, x);
  const [gate, up] = gateAndUp(config, linear, rmsNorm(h, norms.feedForward, norm));
  return add(glu(gate, up, config.activation), 'down_proj', norms.feedForwardOut, h);
}

/** → q [rows, heads · d], k and v [rows, kvHeads · d] */
function projections(
  { fused, heads, kvHeads, headDim }: ModelConfig,
  linear: Linear,
  x: tf.Tensor,
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  if (!fused) return [linear(x, 'q_proj'), linear(x, 'k_proj'), linear(x, 'v_proj')];
  const width = kvHeads * headDim;
  const [q, k, v] = splitColumns(linear(x, 'qkv_proj'), [heads * headDim, width, width]);
  if (!q || !k || !v) throw new Error('The projection of queries, keys and values was not split in three.');
  return [q, k, v];
}

function gateAndUp({ fused, ffn }: ModelConfig, linear: Linear, x: tf.Tensor): [tf.Tensor, tf.Tensor] {
  if (!fused) return [linear(x, 'gate_proj'), linear(x, 'up_proj')];
  const [gate, up] = splitColumns(linear(x, 'gate_up_proj'), [ffn, ffn]);
  if (!gate || !up) throw new Error('The projection of gate and up was not split in two.');
  return [gate, up];
}

function turned(y: tf.Tensor, { positions, table }: LayerSight, heads: number, headDim: number): tf.Tensor {
  return table ? rope(y, positions, table, heads, headDim) : y;
}

/** Every head is normed by itself: [rows, heads · d] is read as [rows · heads, d]. */
function headNorm(x: tf.Tensor, gain: tf.Tensor | null, headDim: number, norm: NormAttrs): tf.Tensor {
  if (!gain) return x;
  return tf.reshape(rmsNorm(tf.reshape(x, [-1, headDim]), gain, norm), x.shape);
}
