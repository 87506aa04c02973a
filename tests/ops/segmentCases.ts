/** Layers that run as one product by each of some designs against each layer by itself; gradients also added where they are made. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { SCALARS, type FlatState } from '../../src/ops/flat';
import { linear } from '../../src/ops/linear';
import type { Segment } from '../../src/ops/segments';
import { disposeWeight } from '../../src/ops/weight';
import { relativeL2 } from '../../src/selftest/distance';
import { filled, limitOf, made, times, transposed, useDesign, type Designs } from './products';

/** Adapters of three layers in one product: widths that end inside every tile, other ranks and scales, one layer without. */
const SEGMENTS: Record<string, Segment[]> = {
  'ranks that are multiples of four': [
    { rows: 72, rank: 8, scale: 0.5 },
    { rows: 20, rank: 4, scale: 2 },
    { rows: 40, rank: 8, scale: 1.5 },
  ],
  'other ranks, one layer without an adapter': [
    { rows: 68, rank: 3, scale: 0.5 },
    { rows: 24, rank: 0, scale: 0 },
    { rows: 40, rank: 5, scale: 1.5 },
  ],
};

export function againstEachLayer(designs: Designs): void {
  describe.each(Object.keys(designs))('segments, %s', (design) => {
    const limit = limitOf(design);
    useDesign(design, designs);

    it.each(Object.keys(SEGMENTS))('%s', async (name) => {
      const segments = SEGMENTS[name] ?? [];
      const [m, n, k] = [19, 132, 128];
      const { weight, values } = made('q4', n, k, 64);
      const [x, dy] = [filled(m * k), filled(m * n)];
      const own = segments.map(({ rows, rank }) => ({ a: filled(rank * k), b: filled(rows * rank) }));
      const [a, b] = [joined(own.map((one) => one.a)), joined(own.map((one) => one.b))];
      // each layer by itself
      const forward = times(x, values, m, n, k);
      const dx = times(dy, transposed(values, n, k), m, k, n);
      const [da, db]: [number[], number[]] = [[], []];
      let first = 0;
      segments.forEach(({ rows, rank, scale }, index) => {
        const { a: ownA, b: ownB } = own[index] ?? { a: filled(0), b: filled(0) };
        const ownDy = Float64Array.from(
          { length: m * rows },
          (_, i) => dy[Math.floor(i / rows) * n + first + (i % rows)] ?? NaN,
        );
        const u = times(x, ownA, m, rank, k);
        times(u, ownB, m, rows, rank).forEach((value, i) => {
          const at = Math.floor(i / rows) * n + first + (i % rows);
          forward[at] = (forward[at] ?? NaN) + scale * value;
        });
        const du = times(ownDy, transposed(ownB, rows, rank), m, rank, rows).map((value) => scale * value);
        times(du, transposed(ownA, rank, k), m, k, rank).forEach(
          (value, i) => (dx[i] = (dx[i] ?? NaN) + value),
        );
        da.push(...times(transposed(du, m, rank), transposed(x, m, k), rank, k, m));
        const ownDb = times(transposed(ownDy, m, rows), transposed(u, m, rank), rows, rank, m);
        db.push(...ownDb.map((value) => scale * value));
        first += rows;
      });

      const [X, A, B] = [tf.tensor2d(x, [m, k]), tf.tensor2d(a, [a.length / k, k]), tf.tensor1d(b)];
      const DY = tf.tensor2d(dy, [m, n]);
      const run = (...[x1, a1, b1]: tf.Tensor[]) => {
        if (!x1 || !a1 || !b1) throw new Error('An input is missing.');
        return linear(x1, weight, { lora: { a: a1, b: b1, segments } });
      };
      expect(relativeL2(await run(X, A, B).data(), forward)).toBeLessThan(limit);
      const gradients = tf.grads((...all) => run(...(all as tf.Tensor[])))([X, A, B], DY);
      for (const [index, expected] of [dx, da, db].entries())
        expect(
          relativeL2((await gradients[index]?.data()) ?? [], expected),
          'x, A, B'[3 * index],
        ).toBeLessThan(limit);

      // and added to what a flat buffer holds
      const offset = Math.ceil(a.length / 64) * 64;
      const count = offset + Math.ceil(b.length / 64) * 64;
      const before = filled(count);
      const state = flatState(before);
      const into = { a: { state, offset: 0 }, b: { state, offset } };
      tf.grads((...all) => {
        const [x1, a1, b1] = all as [tf.Tensor, tf.Tensor, tf.Tensor];
        return linear(x1, weight, { lora: { a: a1, b: b1, segments, into } });
      })([X, A, B], DY);
      const after = await state.gradient.data();
      const added = Array.from(before, (value, i) => {
        if (i < a.length) return value + (da[i] ?? NaN);
        return i < offset || i >= offset + b.length ? value : value + (db[i - offset] ?? NaN);
      });
      expect(relativeL2(after, added)).toBeLessThan(limit);
      disposeWeight(weight);
    });
  });
}

function joined(parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

export function flatState(gradient: Float32Array): FlatState {
  const zeros = () => tf.zeros([gradient.length]);
  const rest = { parameters: zeros(), mean: zeros(), square: zeros(), scalars: tf.zeros([SCALARS]) };
  return { gradient: tf.tensor1d(gradient), ...rest };
}
