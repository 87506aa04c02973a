/** Blocks of columns are cut out and their gradients put back, numbered by hand. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { beforeAll, expect, it } from 'vitest';
import { splitColumns } from '../../src/ops/splitColumns';
import { numbers } from './numbers';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it('cuts [2, 6] into 3, 1 and 2 columns and joins what comes back', () => {
  const x = tf.tensor2d([
    [1, 2, 3, 4, 5, 6],
    [7, 8, 9, 10, 11, 12],
  ]);
  const parts = splitColumns(x, [3, 1, 2]);
  expect(parts.map((part) => Array.from(numbers(part)))).toEqual([
    [1, 2, 3, 7, 8, 9],
    [4, 10],
    [5, 6, 11, 12],
  ]);
  // loss = 1·Σ first + 10·Σ second + 100·Σ third: each column of x has its block's factor
  const gradient = tf.grad((input) => {
    const [a, b, c] = splitColumns(input as tf.Tensor, [3, 1, 2]);
    if (!a || !b || !c) throw new Error('Three parts were expected.');
    return tf.addN([tf.sum(a), tf.mul(tf.sum(b), 10), tf.mul(tf.sum(c), 100)]);
  })(x);
  expect(Array.from(numbers(gradient))).toEqual([1, 1, 1, 10, 100, 100, 1, 1, 1, 10, 100, 100]);
});

it('says both sums where the widths do not add up', () => {
  expect(() => splitColumns(tf.ones([2, 6]), [3, 1])).toThrow('6 columns cannot be split into 3 + 1 = 4');
});
