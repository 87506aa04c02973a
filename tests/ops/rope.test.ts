/** Rope over a part of the head: pairs of the turned part turn, the rest passes, by hand loops in f64. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, it } from 'vitest';
import { rope } from '../../src/ops/rope';
import { relativeL2 } from '../../src/selftest/distance';
import { filled, numbers } from './numbers';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it.each([8, 6])('%i of 8 numbers of a head are turned; the gradient turns back', (turned) => {
  const [rows, heads, headDim] = [3, 2, 8];
  const x = filled(rows * heads * headDim, 19);
  const positions = [2, 0, 5];
  const half = turned / 2;
  const angle = (position: number, i: number) => position * 10 ** -i;
  const table = Float32Array.from({ length: 6 * turned }, (_, at) => {
    const [position, i] = [Math.floor(at / turned), at % turned];
    return i < half ? Math.cos(angle(position, i)) : Math.sin(angle(position, i - half));
  });
  const run = (values: Float32Array, direction: number) =>
    Array.from(values, (value, at) => {
      const i = at % headDim;
      if (i >= turned) return value;
      const pair = i % half;
      const other = values[i < half ? at + half : at - half] ?? NaN;
      const a = direction * angle(positions[Math.floor(at / (heads * headDim))] ?? NaN, pair);
      return i < half ? value * Math.cos(a) - other * Math.sin(a) : value * Math.cos(a) + other * Math.sin(a);
    });
  const input = tf.tensor(x, [rows, heads * headDim]);
  const at = tf.tensor1d(positions, 'int32');
  const turns = tf.tensor(table, [6, turned]);
  const apply = (t: tf.Tensor) => rope(t, at, turns, heads, headDim);
  expect(relativeL2(numbers(apply(input)), run(x, 1))).toBeLessThan(1e-6);
  const dy = filled(x.length, 23);
  const dx = tf.grad((t) => apply(t as tf.Tensor))(input, tf.tensor(dy, input.shape));
  expect(relativeL2(numbers(dx), run(dy, -1))).toBeLessThan(1e-6);
});
