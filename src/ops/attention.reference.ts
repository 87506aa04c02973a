/** The twins of attention.ts in stock TensorFlow.js: whole score matrices, an explicit mask. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { AttentionAttrs } from './attention';

/** [rows, heads · d] → [heads, rows, d], with each kv head repeated for its group */
function byHead(x: tf.Tensor, heads: number, headDim: number, groups = 1): tf.Tensor3D {
  const rows = x.shape[0] ?? 0;
  const split = tf.transpose(tf.reshape(x, [rows, heads, headDim]), [1, 0, 2]);
  if (groups === 1) return split as tf.Tensor3D;
  const repeated = tf.tile(tf.reshape(split, [heads, 1, rows, headDim]), [1, groups, 1, 1]);
  return tf.reshape(repeated, [heads * groups, rows, headDim]);
}

/** [heads, rows, d] → [rows, heads · d], adding up the groups of a kv head */
function toRows(x: tf.Tensor3D, groups = 1): tf.Tensor {
  const [heads, rows, headDim] = x.shape;
  const summed = groups === 1 ? x : tf.sum(tf.reshape(x, [heads / groups, groups, rows, headDim]), 1);
  return tf.reshape(tf.transpose(summed as tf.Tensor3D, [1, 0, 2]), [rows, (heads / groups) * headDim]);
}

/** 0 where query i sees key j, -1e38 where not: [rows, keys] */
function mask(ranges: tf.Tensor, rows: number, keys: number): tf.Tensor {
  const [first, last] = tf.unstack(tf.cast(ranges, 'float32'));
  if (!first || !last) throw new Error('Attention needs ranges.');
  const j = tf.reshape(tf.range(0, keys), [1, keys]);
  const seen = tf.logicalAnd(
    tf.greaterEqual(j, tf.reshape(first, [rows, 1])),
    tf.lessEqual(j, tf.reshape(last, [rows, 1])),
  );
  return tf.mul(tf.sub(1, tf.cast(seen, 'float32')), -1e38);
}

function scores({ q, k, ranges }: Inputs, attrs: AttentionAttrs) {
  const { heads, kvHeads, headDim, scale = 1 / Math.sqrt(headDim) } = attrs;
  if (!q || !k || !ranges) throw new Error('Attention misses an input.');
  const qh = byHead(q, heads, headDim);
  const kh = byHead(k, kvHeads, headDim, heads / kvHeads);
  const raw = tf.mul(tf.matMul(qh, kh, false, true), scale);
  return { qh, kh, scale, s: tf.add(raw, mask(ranges, q.shape[0] ?? 0, k.shape[0] ?? 0)) };
}

export function attentionReference(inputs: Inputs, attrs: AttentionAttrs): tf.Tensor[] {
  const { s } = scores(inputs, attrs);
  const { heads, kvHeads, headDim } = attrs;
  if (!inputs['v']) throw new Error('Attention misses its values.');
  const vh = byHead(inputs['v'], kvHeads, headDim, heads / kvHeads);
  const o = tf.matMul(tf.softmax(s), vh);
  return [toRows(o as tf.Tensor3D), tf.transpose(tf.logSumExp(s, -1), [1, 0])];
}

export function attentionGradReference(inputs: Inputs, attrs: AttentionAttrs): tf.Tensor[] {
  const { heads, kvHeads, headDim } = attrs;
  const { v, dy } = inputs;
  if (!v || !dy) throw new Error('Attention misses an input.');
  const groups = heads / kvHeads;
  const { qh, kh, scale, s } = scores(inputs, attrs);
  const p = tf.softmax(s);
  const dyh = byHead(dy, heads, headDim);
  const dp = tf.matMul(dyh, byHead(v, kvHeads, headDim, groups), false, true);
  const ds = tf.mul(tf.mul(p, tf.sub(dp, tf.sum(tf.mul(p, dp), -1, true))), scale);
  return [
    toRows(tf.matMul(ds, kh) as tf.Tensor3D),
    toRows(tf.matMul(ds, qh, true, false) as tf.Tensor3D, groups),
    toRows(tf.matMul(p, dyh, true, false) as tf.Tensor3D, groups),
  ];
}
