/** A product by each of some designs against plain loops: forward and backward, with adapter, bias and residual. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { linear, linearDx } from '../../src/ops/linear';
import { disposeWeight } from '../../src/ops/weight';
import { WEIGHT_FORMATS, type WeightFormat } from '../../src/protocol/weightFormats';
import { relativeL2 } from '../../src/selftest/distance';
import { filled, limitOf, made, times, transposed, useDesign, type Designs } from './products';

/** Every design with plain and packed numbers, the chosen one with every format. */
export function againstLoops(designs: Designs): void {
  const cases = Object.keys(designs).flatMap((design) =>
    WEIGHT_FORMATS.filter((format) => designs[design] === null || format === 'f32' || format === 'q4').map(
      (format) => [design, format] as const,
    ),
  );

  describe.each(cases)('%s, %s', (design, format) => {
    const limit = limitOf(design);
    useDesign(design, designs);

    // rows, out, in, rows of a part: one row, one past a tile of 16, a tail of columns past a part, Qwen2.5-0.5B's k projection
    it.each([
      [1, 64, 64, null],
      [17, 132, 192, 64],
      [33, 300, 128, 128],
      [19, 128, 896, null],
    ] as const)('%i × %i out, %i in, parts of %s rows', (...size) => bothWays(format, size, limit));
  });
}

type Size = readonly [m: number, n: number, k: number, partRows: number | null];

/** Forward and backward, and a product backward without anything folded in. */
export async function bothWays(
  format: WeightFormat,
  [m, n, k, partRows]: Size,
  limit: number,
): Promise<void> {
  const { weight, values } = made(format, n, k, partRows);
  const [x, dy, bias, residual] = [filled(m * k), filled(m * n), filled(n), filled(m * n)];
  const [a, b, scale] = [filled(3 * k), filled(n * 3), 0.5];
  const u = times(x, a, m, 3, k);
  const low = times(u, b, m, n, 3);
  const forward = times(x, values, m, n, k).map(
    (value, i) => value + scale * (low[i] ?? NaN) + (bias[i % n] ?? NaN) + (residual[i] ?? NaN),
  );
  const X = tf.tensor2d(x, [m, k]);
  const extra = { bias: tf.tensor1d(bias), residual: tf.tensor2d(residual, [m, n]) };
  const run = (input: tf.Tensor) =>
    linear(input, weight, {
      ...extra,
      lora: {
        a: tf.tensor2d(a, [3, k]),
        b: tf.tensor2d(b, [n, 3]),
        segments: [{ rows: n, rank: 3, scale }],
      },
    });
  expect(relativeL2(await run(X).data(), forward)).toBeLessThan(limit);

  const du = times(dy, transposed(b, n, 3), m, 3, n).map((value) => scale * value);
  const plain = times(dy, transposed(values, n, k), m, k, n);
  const through = times(du, transposed(a, 3, k), m, k, 3);
  const DY = tf.tensor2d(dy, [m, n]);
  const [dx] = tf.grads((input) => run(input as tf.Tensor))([X], DY);
  expect(
    relativeL2(
      (await dx?.data()) ?? [],
      plain.map((value, i) => value + (through[i] ?? NaN)),
    ),
  ).toBeLessThan(limit);
  expect(relativeL2(await linearDx(DY, weight).data(), plain)).toBeLessThan(limit);
  disposeWeight(weight);
}
