/**
 * Dropout from a counter: element i survives when a hash of (seed, i) is at least p, and is divided by 1 − p. The same
 * seed gives the same mask, so a resumed run repeats itself. The gradient is the same operation; whoever tapes runs it
 * (linear.operations.ts).
 * x any shape; seed [1] int32, new for every micro-batch; place tells the layers apart.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only } from './define';
import { dropoutReference } from './dropout.reference';
import { dropoutKernel } from './dropout.kernel';

export interface DropoutAttrs {
  /** Chance that an element becomes zero. */
  p: number;
  /** Tells the places of one step apart. */
  place: number;
}

const operation = defineOperation<DropoutAttrs>({
  name: 'CounterDropout',
  operation: 'dropout',
  reference: dropoutReference,
  kernel: dropoutKernel,
});

export function dropout(x: tf.Tensor, seed: tf.Tensor, p: number, place: number): tf.Tensor {
  return only(operation({ x, seed }, { p, place }));
}
