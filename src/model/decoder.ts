/**
 * The decoder as functions of its weights. One code for Llama, Qwen2, Qwen3 and Mistral; what differs is read from the config.
 * It takes its linear layers as an argument, so it never hears of adapters.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../ops/attention';
import { rmsNorm } from '../ops/rmsNorm';
import { rope } from '../ops/rope';
import { swiglu } from '../ops/swiglu';
import type { Target } from '../protocol/settings';
import type { ModelConfig } from './config';
import type { LayerWeights } from './weights';

/** Runs the linear layer `target` on x [rows, in]; `residual` [rows, out] is added. */
export type Linear = (x: tf.Tensor, target: Target, residual?: tf.Tensor) => tf.Tensor;

/** What a row of tokens looks like to attention; all int32. */
export interface Sight {
  /** [rows]: position of each token in its document */
  positions: tf.Tensor;
  /** [3, rows]: see ops/attention.ts */
  ranges: tf.Tensor;
  /** [maxPosition, headDim]: see rotary.ts */
  table: tf.Tensor;
}

/** Where keys and values go on their way to attention: a cache puts them away and hands back all it holds. */
export type KeepKeys = (keys: tf.Tensor, values: tf.Tensor) => [tf.Tensor, tf.Tensor];

const passOn: KeepKeys = (keys, values) => [keys, values];

/** x [rows, hidden] → [rows, hidden] */
export function decoderLayer(
  config: ModelConfig,
  weights: Pick<LayerWeights, 'inputNorm' | 'postNorm' | 'qNorm' | 'kNorm'>,
  linear: Linear,
  x: tf.Tensor,
  sight: Sight,
  keep: KeepKeys = passOn,
): tf.Tensor {
  const { heads, kvHeads, headDim, normEpsilon } = config;
  const normed = rmsNorm(x, weights.inputNorm, normEpsilon);
  const turn = (y: tf.Tensor, count: number, gain: tf.Tensor | null) =>
    rope(headNorm(y, gain, headDim, normEpsilon), sight.positions, sight.table, count, headDim);
  const q = turn(linear(normed, 'q_proj'), heads, weights.qNorm);
  const k = turn(linear(normed, 'k_proj'), kvHeads, weights.kNorm);
  const [keys, values] = keep(k, linear(normed, 'v_proj'));
  // a cache holds more keys than there are queries
  const together = keys.shape[0] === x.shape[0];
  const seen = attention(q, keys, values, sight.ranges, { heads, kvHeads, headDim, together });
  const h = linear(seen, 'o_proj', x);
  const inner = rmsNorm(h, weights.postNorm, normEpsilon);
  return linear(swiglu(linear(inner, 'gate_proj'), linear(inner, 'up_proj')), 'down_proj', h);
}

/** Qwen3 norms every head by itself: [rows, heads · d] is read as [rows · heads, d]. */
function headNorm(x: tf.Tensor, gain: tf.Tensor | null, headDim: number, epsilon: number): tf.Tensor {
  if (!gain) return x;
  return tf.reshape(rmsNorm(tf.reshape(x, [-1, headDim]), gain, epsilon), x.shape);
}
