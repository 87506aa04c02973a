/** The twin of rope.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { RopeAttrs } from './rope';

export function ropeReference(
  { x, positions, table }: Inputs,
  { heads, headDim, direction }: RopeAttrs,
): tf.Tensor {
  if (!x || !positions || !table) throw new Error('rope misses an input.');
  const turned = table.shape[1] ?? headDim;
  const rows = x.shape[0] ?? 0;
  const turns = tf.gather(table, tf.cast(positions, 'int32'));
  const [cos, sin] = tf.split(tf.reshape(turns, [rows, 1, turned]), 2, 2);
  const widths = [turned / 2, turned / 2, headDim - turned];
  const [low, high, rest] = tf.split(tf.reshape(x, [rows, heads, headDim]), widths, 2);
  if (!cos || !sin || !low || !high || !rest) throw new Error('rope could not split its input.');
  const turn = tf.mul(sin, direction);
  const parts = [tf.sub(tf.mul(low, cos), tf.mul(high, turn)), tf.add(tf.mul(high, cos), tf.mul(low, turn))];
  return tf.reshape(tf.concat([...parts, rest], 2), [rows, heads * headDim]);
}
