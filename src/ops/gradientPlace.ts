/**
 * Gradients that are added to the flat buffer where they are made: the product writes there itself, so that no tensor of them and no
 * further kernel is needed. What the tape hands on in their place is never read.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { blankTensor, touched, viewOf } from '../gpu/tensors';
import { accumulate, type FlatState } from './flat';
import { wayOf } from './ways';

export interface GradientPlace {
  state: FlatState;
  /** In numbers, a multiple of 64. */
  offset: number;
}

export function addToGradient(
  { state, offset }: GradientPlace,
  shape: number[],
  { kernel, reference }: { kernel: (target: TensorInfo) => void; reference: () => tf.Tensor },
): void {
  if (tf.getBackend() !== 'webgpu' || wayOf('linear f32') === 'stock') {
    tf.tidy(() => {
      accumulate(state, reference(), offset);
    });
    return;
  }
  const target = viewOf(state.gradient, offset, shape);
  kernel(target);
  target.dispose();
  touched(state.gradient);
}

/** Only its shape means something. */
export function unreadTensor(shape: number[]): tf.Tensor {
  if (tf.getBackend() !== 'webgpu') return tf.zeros(shape);
  return blankTensor(shape);
}
