/**
 * What a linear layer multiplies with: a frozen matrix on the device in one of the forms of protocol/weightFormats.ts, or a
 * trained one. Frozen matrices are constants of an operation, not inputs: nothing is ever differentiated by them.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { destroyPlane, isPlane } from '../gpu/memory';
import type { WeightFormat } from '../protocol/weightFormats';

/** Rows `row` … `row + rows` of a matrix. No plane is larger than the device can bind. */
export interface WeightPart {
  row: number;
  rows: number;
  /** See protocol/weightFormats.ts; f32 planes are float32, packed ones int32. */
  planes: tf.Tensor[];
}

export interface FrozenWeight {
  format: WeightFormat;
  n: number;
  k: number;
  parts: WeightPart[];
}

/** A matrix that a tape may differentiate by: f32 [n, k]. */
export interface TrainedWeight {
  format: 'trained';
  n: number;
  k: number;
  tensor: tf.Tensor;
}

export type Weight = FrozenWeight | TrainedWeight;

export function trainedWeight(tensor: tf.Tensor): TrainedWeight {
  const [n, k] = tensor.shape;
  if (n === undefined || k === undefined) throw new Error('A trained weight is a matrix.');
  return { format: 'trained', n, k, tensor };
}

/** An f32 matrix [n, k] that is not trained, as one part. */
export function plainWeight(tensor: tf.Tensor): FrozenWeight {
  const { n, k } = trainedWeight(tensor);
  return { format: 'f32', n, k, parts: [{ row: 0, rows: n, planes: [tensor] }] };
}

export function disposeWeight(weight: Weight): void {
  const tensors =
    weight.format === 'trained' ? [weight.tensor] : weight.parts.flatMap(({ planes }) => planes);
  for (const tensor of tensors) {
    if (isPlane(tensor)) destroyPlane(tensor);
    else tensor.dispose();
  }
}
