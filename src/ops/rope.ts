/**
 * Rotary position embedding: the pair (i, i + t/2) of each head is turned by position · frequency i, for the first t of its d
 * numbers; the rest pass (Su et al., arXiv 2104.09864, in the halves layout of Hugging Face).
 * x [rows, heads · d], positions [rows] int32, table [maxPosition, t]: cosines, then sines. The gradient turns back.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { ropeReference } from './rope.reference';
import { ropeKernel } from './rope.kernel';

export interface RopeAttrs {
  heads: number;
  headDim: number;
  /** 1 turns forward, -1 back. */
  direction: 1 | -1;
}

const operation = defineOperation<RopeAttrs>({ name: 'Rope', reference: ropeReference, kernel: ropeKernel });

tf.registerGradient({
  kernelName: 'Rope',
  inputsToSave: ['positions', 'table'],
  gradFunc: (dy, [positions, table], attrs) => {
    const options = readAttrs<RopeAttrs>(attrs);
    const back = { ...options, direction: options.direction === 1 ? -1 : 1 } satisfies RopeAttrs;
    return { x: () => only(operation({ x: dy as tf.Tensor, positions, table }, back)) };
  },
});

export function rope(
  x: tf.Tensor,
  positions: tf.Tensor,
  table: tf.Tensor,
  heads: number,
  headDim: number,
): tf.Tensor {
  return only(operation({ x, positions, table }, { heads, headDim, direction: 1 }));
}
