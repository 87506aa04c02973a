/** The twin of the gated unit against the formulas in f64, and its gradient against finite differences. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { glu } from '../../src/ops/glu';
import { relativeL2 } from '../../src/selftest/distance';
import { ACTIVATIONS } from './activations';
import { differences, filled, numbers } from './numbers';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(['silu', 'gelu_tanh'] as const)('%s', (activation) => {
  const gate = filled(15, 3).map((value) => value * 4);
  const up = filled(15, 5);
  const shape = [3, 5];
  const sideBySide = (left: Float32Array, right: Float32Array) =>
    tf.concat([tf.tensor(left, shape), tf.tensor(right, shape)], 1);

  it('gives act(gate) · up', () => {
    const expected = Array.from(gate, (z, i) => ACTIVATIONS[activation](z) * (up[i] ?? NaN));
    expect(relativeL2(numbers(glu(sideBySide(gate, up), activation)), expected)).toBeLessThan(1e-6);
  });

  it('has the gradients that finite differences have', () => {
    const dy = filled(15, 7);
    const dx = tf.grad((x) => glu(x as tf.Tensor, activation))(sideBySide(gate, up), tf.tensor(dy, shape));
    const [dgate, dup] = tf.split(dx, 2, 1);
    const run = (g: Float32Array, u: Float32Array) =>
      g.map((z, i) => ACTIVATIONS[activation](z) * (u[i] ?? NaN));
    expect(
      relativeL2(
        numbers(dgate),
        differences((g) => run(g, up), gate, dy),
      ),
    ).toBeLessThan(1e-3);
    expect(
      relativeL2(
        numbers(dup),
        differences((u) => run(gate, u), up, dy),
      ),
    ).toBeLessThan(1e-3);
  });
});

it('gelu at 1 is 0.8412 (its table value 0.8413 in the tanh form)', () => {
  expect(numbers(glu(tf.tensor([[1, 1]]), 'gelu_tanh'))[0]).toBeCloseTo(0.841192, 6);
});
