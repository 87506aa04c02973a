/** Reads a tensor's width, and says so when it is missing. */
import type { TensorInfo } from '@tensorflow/tfjs-core';

export function size(tensor: TensorInfo | undefined, axis: number): number {
  const value = tensor?.shape[axis];
  if (value === undefined) throw new Error(`A kernel expected a tensor with an axis ${axis}.`);
  return value;
}

export function given(tensor: TensorInfo | undefined): TensorInfo {
  if (!tensor) throw new Error('A kernel misses an input.');
  return tensor;
}
