/** The twins of heads.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { HeadsAttrs } from './heads';
import { rmsNormDxReference, rmsNormReference } from './rmsNorm.reference';

const given = (tensor: tf.Tensor | undefined): tf.Tensor => {
  if (!tensor) throw new Error('A twin of the heads misses an input.');
  return tensor;
};

/** x [rows, count · d], turned by each row's position; direction -1 turns back. */
export function turnedReference(
  x: tf.Tensor,
  { positions, table }: Inputs,
  headDim: number,
  direction: 1 | -1,
): tf.Tensor {
  const width = given(table).shape[1] ?? 0;
  if (width === 0) return x;
  const rows = x.shape[0] ?? 0;
  const turns = tf.gather(given(table), tf.cast(given(positions), 'int32'));
  const [cos, sin] = tf.split(tf.reshape(turns, [rows, 1, width]), 2, 2);
  const widths = [width / 2, width / 2, headDim - width];
  const [low, high, rest] = tf.split(tf.reshape(x, [rows, -1, headDim]), widths, 2);
  if (!cos || !sin || !low || !high || !rest) throw new Error('A head could not be split.');
  const turn = tf.mul(sin, direction);
  const parts = [tf.sub(tf.mul(low, cos), tf.mul(high, turn)), tf.add(tf.mul(high, cos), tf.mul(low, turn))];
  return tf.reshape(tf.concat([...parts, rest], 2), x.shape);
}

/** Every head is a row of its own. */
const byHead = (x: tf.Tensor, headDim: number) => tf.reshape(x, [-1, headDim]);

const gainOf = (g: tf.Tensor, index: number, headDim: number) =>
  tf.reshape(tf.slice(g, [index, 0], [1, headDim]), [headDim]);

function partsOf(x: tf.Tensor, { heads, kvHeads, headDim }: HeadsAttrs): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const widths = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const [q, k, v] = tf.split(x, widths, 1);
  return [given(q), given(k), given(v)];
}

export function splitHeadsReference(inputs: Inputs, attrs: HeadsAttrs): tf.Tensor[] {
  const { headDim, norm } = attrs;
  const { g } = inputs;
  const [q, k, v] = partsOf(given(inputs['x']), attrs);
  const [query, key] = [q, k].map((part, index) => {
    if (!g) return turnedReference(part, inputs, headDim, 1);
    const own = { x: byHead(part, headDim), g: gainOf(g, index, headDim) };
    return turnedReference(tf.reshape(rmsNormReference(own, norm), part.shape), inputs, headDim, 1);
  });
  return [given(query), given(key), v];
}

export function joinHeadsReference(inputs: Inputs, attrs: HeadsAttrs): tf.Tensor {
  const { headDim, norm } = attrs;
  const { x, g } = inputs;
  const back = [given(inputs['dq']), given(inputs['dk'])].map((d, index) => {
    const dy = turnedReference(d, inputs, headDim, -1);
    if (!x || !g) return dy;
    const part = partsOf(x, attrs)[index];
    const own = { x: byHead(given(part), headDim), g: gainOf(g, index, headDim), dy: byHead(dy, headDim) };
    return tf.reshape(rmsNormDxReference(own, norm), dy.shape);
  });
  return tf.concat([...back, given(inputs['dv'])], 1);
}
