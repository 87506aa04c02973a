/** Inputs of the self-test's operations: the same numbers wherever they are made. */
import * as tf from '@tensorflow/tfjs-core';
import { SCALARS, type FlatState } from '../ops/flat';
import { randomFrom } from '../random';

/** A row count that ends inside every tile. */
export const ROWS = 37;

/** The same numbers on both backends: each run of an operation begins the sequence anew. */
export function filler(): (...shape: number[]) => tf.Tensor {
  const random = randomFrom(11);
  return (...shape) => {
    const count = shape.reduce((product, side) => product * side, 1);
    return tf.tensor(
      Float32Array.from({ length: count }, () => 2 * random() - 1),
      shape,
    );
  };
}

export function gradients(
  run: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  dy: tf.Tensor,
): tf.Tensor[] {
  return tf.grads((...all) => run(...(all as tf.Tensor[])))(inputs, dy);
}

/** Buffers of a run over `count` numbers. The gradient is empty. */
export function flatState(count: number): FlatState {
  const filled = filler();
  return {
    ...{ parameters: filled(count), mean: filled(count), square: tf.abs(filled(count)) },
    ...{ gradient: tf.zeros([count]), scalars: tf.zeros([SCALARS]) },
  };
}

export function given(tensor: tf.Tensor | undefined): tf.Tensor {
  if (!tensor) throw new Error('A self-test misses an input.');
  return tensor;
}
