/** Numbers for the tests of operations: the same every time, never zero in a row, and finite differences over them. */
import * as tf from '@tensorflow/tfjs-core';

export function filled(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state * 16807) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  });
}

/** Central differences of Σ weights · f(values), in f64 sums; steps are large since f itself is f32. */
export function differences(
  f: (values: Float32Array) => ArrayLike<number>,
  values: Float32Array,
  weights: ArrayLike<number>,
): number[] {
  const step = 1e-2;
  const sum = (at: Float32Array) =>
    Array.from(f(at)).reduce((total, y, i) => total + y * (weights[i] ?? NaN), 0);
  return Array.from(values, (value, i) => {
    const moved = (by: number) => values.map((old, j) => (j === i ? value + by : old));
    return (sum(moved(step)) - sum(moved(-step))) / (2 * step);
  });
}

export const numbers = (tensor: tf.Tensor | undefined): Float32Array => {
  if (!tensor) throw new Error('A tensor is missing.');
  return tensor.dataSync<'float32'>();
};
