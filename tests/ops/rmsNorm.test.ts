/** The twin of the norm with an offset on its gain, against the formula in f64 and finite differences. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, it } from 'vitest';
import { rmsNorm } from '../../src/ops/rmsNorm';
import { relativeL2 } from '../../src/selftest/distance';
import { differences, filled, numbers } from './numbers';

const [ROWS, COLS, EPSILON] = [3, 5, 1e-6];
const x = filled(ROWS * COLS, 11);
const g = filled(COLS, 13);
const dy = filled(ROWS * COLS, 17);

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const run = (values: Float32Array, gain: Float32Array, offset: number) =>
  Array.from(values, (value, i) => {
    const row = values.subarray(Math.floor(i / COLS) * COLS, (Math.floor(i / COLS) + 1) * COLS);
    const mean = row.reduce((sum, one) => sum + one * one, 0) / COLS;
    return (offset + (gain[i % COLS] ?? NaN)) * (value / Math.sqrt(mean + EPSILON));
  });

it.each([0, 1] as const)('offset %i: (offset + g) · x / √(mean(x²) + ε), and its gradients', (offset) => {
  const attrs = { epsilon: EPSILON, offset };
  const [tx, tg] = [tf.tensor(x, [ROWS, COLS]), tf.tensor(g)];
  expect(relativeL2(numbers(rmsNorm(tx, tg, attrs)), run(x, g, offset))).toBeLessThan(1e-6);
  const [dx, dg] = tf.grads((a, b) => rmsNorm(a as tf.Tensor, b as tf.Tensor, attrs))(
    [tx, tg],
    tf.tensor(dy, [ROWS, COLS]),
  );
  expect(
    relativeL2(
      numbers(dx),
      differences((v) => run(v, g, offset), x, dy),
    ),
  ).toBeLessThan(2e-3);
  expect(
    relativeL2(
      numbers(dg),
      differences((v) => run(x, v, offset), g, dy),
    ),
  ).toBeLessThan(1e-4);
});
