/** The twins of linear.ts in stock TensorFlow.js. Weights are f32 here, whatever they were made from. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import { gluReference } from './glu.reference';
import type { BlockAttrs, GatedAttrs, LinearAttrs } from './linear.operations';
import { placed, type PlacedSegment, type Segment } from './segments';
import type { FrozenWeight } from './weight';

const matrix = (tensor: tf.Tensor | undefined): tf.Tensor2D => {
  if (!tensor) throw new Error('A twin misses an input.');
  return tensor as tf.Tensor2D;
};

/** [n, k]: the trained matrix, or the frozen one. */
export function referenceMatrix(trained: tf.Tensor | undefined, frozen: FrozenWeight | null): tf.Tensor2D {
  if (!frozen) return matrix(trained);
  const { format, parts, n, k } = frozen;
  if (format !== 'f32' || parts.length !== 1)
    throw new Error(`A twin reads one f32 matrix; this weight is ${format} in ${parts.length} parts.`);
  return tf.reshape(matrix(parts[0]?.planes[0]), [n, k]);
}

/** B [rows, rank] of one segment out of the block. */
function upOf(block: tf.Tensor | undefined, { up, rows, rank }: PlacedSegment): tf.Tensor2D {
  if (!block) throw new Error('A twin misses an input.');
  const count = rows * rank;
  const own = block.size === count ? block : tf.slice(tf.reshape(block, [block.size]), up, count);
  return tf.reshape(own, [rows, rank]);
}

/** Columns of a matrix. */
function columns(of: tf.Tensor | undefined, first: number, count: number): tf.Tensor2D {
  const whole = matrix(of);
  return whole.shape[1] === count ? whole : tf.slice2d(whole, [0, first], [-1, count]);
}

const adapted = (segments: readonly Segment[]) => placed(segments).filter(({ rank }) => rank > 0);

/** → y, and with an adapter also u = x Aᵀ */
export function linearReference(
  { x, xa, w, bias, residual, a, b }: Inputs,
  { weight, scale, segments }: LinearAttrs,
): tf.Tensor[] {
  let y: tf.Tensor = tf.matMul(matrix(x), referenceMatrix(w, weight), false, true);
  if (scale !== 1) y = tf.mul(y, scale);
  if (bias) y = tf.add(y, bias);
  if (residual) y = tf.add(y, residual);
  if (!a) return [y];
  const u = tf.matMul(matrix(xa ?? x), matrix(a), false, true);
  const low = placed(segments).map((segment) => {
    const { low, rank, rows } = segment;
    if (rank === 0) return tf.zeros([u.shape[0], rows]);
    return tf.mul(tf.matMul(columns(u, low, rank), upOf(b, segment), false, true), segment.scale);
  });
  return [tf.add(y, low.length === 1 ? (low[0] ?? y) : tf.concat(low, 1)), u];
}

export function gatedLinearReference(inputs: Inputs, { activation, ...attrs }: GatedAttrs): tf.Tensor {
  const [x] = linearReference(inputs, attrs);
  return gluReference({ x: matrix(x) }, { activation });
}

export function dxReference({ dy, w, du, a, added }: Inputs, { weight, scale }: LinearAttrs): tf.Tensor {
  let dx: tf.Tensor = tf.mul(tf.matMul(matrix(dy), referenceMatrix(w, weight)), scale);
  if (du) dx = tf.add(dx, tf.matMul(matrix(du), matrix(a)));
  return added ? tf.add(dx, added) : dx;
}

export function plainDxReference({ dy, w }: Inputs): tf.Tensor {
  return tf.matMul(matrix(dy), matrix(w));
}

/** du = scale · dy B, segment by segment */
export function downReference({ dy, b }: Inputs, { segments }: BlockAttrs): tf.Tensor {
  const parts = adapted(segments).map((segment) =>
    tf.mul(tf.matMul(columns(dy, segment.first, segment.rows), upOf(b, segment)), segment.scale),
  );
  return tf.concat(parts, 1);
}

export function outerReference({ p, q }: Inputs, { scale }: { scale: number }): tf.Tensor {
  return tf.mul(tf.matMul(matrix(p), matrix(q), true, false), scale);
}

/** The block of the gradients of B: scale · dyᵀ u, segment by segment */
export function blockOuterReference({ u, dy }: Inputs, { segments }: BlockAttrs): tf.Tensor {
  const parts = adapted(segments).map(({ first, rows, low, rank, scale }) => {
    const own = tf.matMul(columns(dy, first, rows), columns(u, low, rank), true, false);
    return tf.reshape(tf.mul(own, scale), [rows * rank]);
  });
  return tf.concat(parts);
}

export function columnSumReference({ dy }: Inputs): tf.Tensor {
  return tf.sum(matrix(dy), 0);
}
