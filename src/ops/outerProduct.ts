/** The gradient of a matrix: a sum of outer products over the rows of a batch. Its twin and its kernel stand with those of linear.ts. */
import type * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only } from './define';
import { outerKernel } from './linear.kernel';
import { outerReference } from './linear.reference';

const outer = defineOperation<{ scale: number }>({
  name: 'OuterProduct',
  operation: 'linear f32',
  reference: outerReference,
  kernel: outerKernel,
});

/** p [m, n], q [m, k] → scale · pᵀ q [n, k] */
export function outerProduct(p: tf.Tensor, q: tf.Tensor, scale: number): tf.Tensor {
  return only(outer({ p, q }, { scale }));
}
