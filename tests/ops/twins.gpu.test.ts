/** Every kernel against its twin, at sizes that fill no workgroup, pass one, and match real projections. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { crossEntropy } from '../../src/ops/crossEntropy';
import { crossEntropyReference } from '../../src/ops/crossEntropy.reference';
import { dropout } from '../../src/ops/dropout';
import { dropoutReference } from '../../src/ops/dropout.reference';
import { glu } from '../../src/ops/glu';
import { gluGradReference, gluReference } from '../../src/ops/glu.reference';
import type { Inputs } from '../../src/ops/define';
import { splitHeads, splitHeadsInto } from '../../src/ops/heads';
import { joinHeadsReference, splitHeadsReference } from '../../src/ops/heads.reference';
import { linear } from '../../src/ops/linear';
import { dxReference, linearReference, outerReference } from '../../src/ops/linear.reference';
import { branchedNorm, rmsNorm } from '../../src/ops/rmsNorm';
import { rmsNormDgReference, rmsNormDxReference, rmsNormReference } from '../../src/ops/rmsNorm.reference';
import { plainWeight } from '../../src/ops/weight';
import { relativeL2 } from '../../src/selftest/distance';

// a processor driver compiles each new kernel for seconds
vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

let state = 1;
const random = () => ((state = (state * 16807) % 2147483647) / 2147483647) * 2 - 1;
const filled = (...shape: number[]) =>
  tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random), shape);

async function close(
  ours: tf.Tensor | undefined,
  theirs: tf.Tensor | undefined,
  limit: number,
): Promise<void> {
  if (!ours || !theirs) throw new Error('A tensor is missing.');
  expect(ours.shape).toEqual(theirs.shape);
  expect(relativeL2(await ours.data(), await theirs.data())).toBeLessThan(limit);
}

describe('linear', () => {
  // rows, in, out, rank: one element past a tile of 16 and 32; widths that are no multiple of 4; Qwen2.5-0.5B's k and down
  it.each([
    [1, 64, 64, 4],
    [17, 20, 33, 1],
    [31, 66, 130, 6],
    [65, 896, 128, 8],
    [33, 4864, 896, 16],
  ])('gives the twin’s result and gradients for %i × %i → %i, rank %i', async (m, k, n, r) => {
    const [x, w, a, b] = [filled(m, k), filled(n, k), filled(r, k), filled(n, r)];
    const [bias, residual, dy] = [filled(n), filled(m, n), filled(m, n)];
    const scale = 1.5;
    const segments = [{ rows: n, rank: r, scale }];
    const attrs = { weight: null, scale: 1, segments };
    const [expected] = linearReference({ x, w, a, b, bias, residual }, attrs);
    const run = (...[x1, a1, b1]: tf.Tensor[]) => {
      if (!x1 || !a1 || !b1) throw new Error('An input is missing.');
      return linear(x1, plainWeight(w), { bias, residual, lora: { a: a1, b: b1, segments } });
    };
    await close(run(x, a, b), expected, 1e-5);
    const [dx, da, db] = tf.grads((...inputs) => run(...(inputs as tf.Tensor[])))([x, a, b], dy);
    const du = tf.mul(tf.matMul(dy as tf.Tensor2D, b as tf.Tensor2D), scale);
    await close(dx, dxReference({ dy, w, du, a }, attrs), 1e-5);
    await close(da, outerReference({ p: du, q: x }, { scale: 1 }), 1e-5);
    const u = tf.matMul(x as tf.Tensor2D, a as tf.Tensor2D, false, true);
    await close(db, outerReference({ p: dy, q: u }, { scale }), 1e-5);
  });

  // one element past a tile, widths that are no multiple of 4, two layers in one product of which the second has an adapter
  it.each([
    [17, 20, 33],
    [65, 896, 128],
  ])(
    'under dropout what A reads is masked and so is its share of the gradient: %i × %i → %i',
    async (m, k, n) => {
      const segments = [
        { rows: n - 20, rank: 0, scale: 0 },
        { rows: 20, rank: 4, scale: 1.5 },
      ];
      const [x, w, a, b, dy] = [filled(m, k), filled(n, k), filled(4, k), filled(20, 4), filled(m, n)];
      const drop = { p: 0.25, place: 3, seed: tf.tensor1d([7], 'int32') };
      const mask = dropoutReference({ x: tf.ones([m, k]), seed: tf.tensor1d([7], 'int32') }, drop);
      const run = (...[x1, a1, b1]: tf.Tensor[]) => {
        if (!x1 || !a1 || !b1) throw new Error('An input is missing.');
        return linear(x1, plainWeight(w), { lora: { a: a1, b: b1, segments, drop } });
      };
      // stock operations: y = x Wᵀ + [0 | 1.5 · (mask x Aᵀ) Bᵀ], differentiated by TensorFlow.js
      const stock = (...[x1, a1, b1]: tf.Tensor[]) => {
        if (!x1 || !a1 || !b1) throw new Error('An input is missing.');
        const u = tf.matMul(tf.mul(x1, mask) as tf.Tensor2D, a1 as tf.Tensor2D, false, true);
        const low = tf.mul(tf.matMul(u, b1 as tf.Tensor2D, false, true), 1.5);
        return tf.add(
          tf.matMul(x1 as tf.Tensor2D, w as tf.Tensor2D, false, true),
          tf.pad(low, [
            [0, 0],
            [n - 20, 0],
          ]),
        );
      };
      await close(run(x, a, b), stock(x, a, b), 1e-5);
      const ours = tf.grads((...inputs) => run(...(inputs as tf.Tensor[])))([x, a, b], dy);
      const theirs = tf.grads((...inputs) => stock(...(inputs as tf.Tensor[])))([x, a, b], dy);
      for (const [index, own] of ours.entries()) await close(own, theirs[index], 1e-5);
    },
  );
});

describe('rmsNorm', () => {
  it.each([
    [1, 64],
    [65, 33],
    [513, 896],
  ])('gives the twin’s result and gradients for %i × %i', async (rows, cols) => {
    const [x, g, dy] = [filled(rows, cols), filled(cols), filled(rows, cols)];
    for (const offset of [0, 1] as const) {
      const attrs = { epsilon: 1e-6, offset };
      await close(rmsNorm(x, g, attrs), rmsNormReference({ x, g }, attrs), 1e-6);
      const [dx, dg] = tf.grads((a, b) => rmsNorm(a as tf.Tensor, b as tf.Tensor, attrs))([x, g], dy);
      await close(dx, rmsNormDxReference({ x, g, dy }, attrs), 1e-5);
      await close(dg, rmsNormDgReference({ x, g, dy }, attrs), 1e-5);
      // added on the way out, and x going past the norm
      const added = filled(rows, cols);
      await close(rmsNorm(x, g, attrs, { added }), rmsNormReference({ x, g, added }, attrs), 1e-6);
      const sum = tf.grad((a) => {
        const [y, past] = branchedNorm(a as tf.Tensor, g, attrs);
        return tf.concat([y, past], 1);
      })(x, tf.concat([dy, added], 1));
      await close(sum, rmsNormDxReference({ x, g, dy, added }, attrs), 1e-5);
    }
  });
});

describe('heads', () => {
  // heads · d: one pair past a workgroup; Phi-4-mini's heads, of which three quarters are turned; none turned, as in SmolLM3
  it.each([
    [65, 1, 1, 4, 4, false],
    [33, 24, 8, 128, 96, false],
    [33, 16, 8, 128, 128, true],
    [19, 4, 1, 24, 0, false],
    [19, 4, 1, 24, 0, true],
  ])(
    'splitHeads gives the twin’s parts and gradient: %i rows, %i and %i heads of %i, %i turned, normed %s',
    async (rows, heads, kvHeads, headDim, turned, normed) => {
      const width = (heads + 2 * kvHeads) * headDim;
      const [x, dy] = [filled(rows, width), filled(rows, width)];
      const table = turned > 0 ? filled(rows, turned) : tf.zeros([1, 0]);
      const gains = normed ? filled(2, headDim) : null;
      const positions = tf.tensor1d(
        Int32Array.from({ length: rows }, (_, i) => (i * 7) % rows),
        'int32',
      );
      const attrs = { heads, kvHeads, headDim, norm: { epsilon: 1e-6, offset: 1 as const } };
      const given = { x, positions, table, ...(gains ? { g: gains } : {}) };
      const run = (t: tf.Tensor, g: tf.Tensor | null) =>
        splitHeads(t, { positions, table: turned > 0 ? table : undefined, gains: g }, attrs);
      const expected = splitHeadsReference(given, attrs);
      const parts = run(x, gains);
      for (const index of parts.keys()) await close(parts[index], expected[index], 1e-6);

      const widths = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
      const [dq, dk, dv] = tf.split(dy, widths, 1);
      if (!dq || !dk || !dv) throw new Error('The gradient was not split.');
      const inputs = gains ? [x, gains] : [x];
      const [dx, dg] = tf.grads((...[t, g]) =>
        tf.concat(run(t as tf.Tensor, (g ?? null) as tf.Tensor | null), 1),
      )(inputs, dy);
      await close(dx, joinHeadsReference({ dq, dk, dv, ...given }, attrs), 1e-5);
      if (!gains) return;
      const back = joinHeadsReference({ dq, dk, dv, positions, table }, attrs);
      const [dys, xs] = [back, x].map((one) =>
        tf.split(one, widths, 1).map((part) => tf.reshape(part, [-1, headDim])),
      );
      const byHand = [0, 1].map((i) =>
        rmsNormDgReference({ x: xs?.[i], g: x, dy: dys?.[i] } as Inputs, attrs.norm),
      );
      await close(dg, tf.stack(byHand), 1e-5);
    },
  );
});

// heads that fill more than a workgroup; four rows of the cache keep what they held
it.each([
  [65, 1, 4, false],
  [9, 2, 128, true],
])(
  'splitHeadsInto puts %i rows of %i key heads of %i in their places, normed %s',
  async (rows, kvHeads, headDim, normed) => {
    const heads = 2 * kvHeads;
    const x = filled(rows, (heads + 2 * kvHeads) * headDim);
    const [table, gains] = [filled(rows, headDim), normed ? filled(2, headDim) : null];
    const positions = tf.range(0, rows, 1, 'int32');
    const attrs = { heads, kvHeads, headDim, norm: { epsilon: 1e-6, offset: 1 as const } };
    const size = rows + 4;
    // the last first, and the first row past the end
    const at = Array.from({ length: rows }, (_, row) => (row === 0 ? size : size - row));
    const [before, beforeValues] = [filled(size, kvHeads * headDim), filled(size, kvHeads * headDim)];
    const turn = { positions, table, gains };
    const [q, k, v] = splitHeads(x, turn, attrs);
    const expected = await Promise.all(
      [
        [before, k],
        [beforeValues, v],
      ].map(async ([old, own]) => {
        const whole = (await (old as tf.Tensor).array()) as number[][];
        const parts = (await (own as tf.Tensor).array()) as number[][];
        at.forEach((place, row) => {
          if (place < size) whole[place] = parts[row] ?? [];
        });
        return tf.tensor2d(whole);
      }),
    );
    const into = { keys: before, values: beforeValues, at: tf.tensor1d(at, 'int32') };
    const [q1, keys, values] = splitHeadsInto(x, turn, attrs, into);
    expect([keys, values]).toEqual([before, beforeValues]);
    await close(q1, q, 1e-7);
    await close(keys, expected[0], 1e-7);
    await close(values, expected[1], 1e-7);
  },
);

describe('glu, cross entropy, dropout', () => {
  // read number by number, and in fours over more than one workgroup
  it.each([
    ['silu', 65],
    ['silu', 132],
    ['gelu_tanh', 65],
    ['gelu_tanh', 132],
  ] as const)(
    'glu with %s, %i wide, does not overflow at ±100 and gives the twin’s gradients',
    async (activation, width) => {
      const gate = tf.concat([
        filled(3, width),
        tf.pad(tf.tensor2d([[100, -100, 30, -30, 0.5]]), [
          [0, 0],
          [0, width - 5],
        ]),
      ]);
      const [x, dy] = [tf.concat([gate, filled(4, width)], 1), filled(4, width)];
      const attrs = { activation };
      await close(glu(x, activation), gluReference({ x }, attrs), 1e-5);
      const ours = tf.grad((t) => glu(t as tf.Tensor, activation))(x, dy);
      await close(ours, gluGradReference({ x, dy }, attrs), 1e-5);
    },
  );

  it('cross entropy holds for logits of ±1e4 and leaves rows without a target out', async () => {
    const logits = tf.concat([tf.mul(filled(66, 130), 10), tf.mul(filled(1, 130), 1e4)]);
    const targets = tf.tensor1d(
      Int32Array.from({ length: 67 }, (_, i) => (i % 5 === 0 ? -1 : (i * 7) % 130)),
      'int32',
    );
    const weights = tf.abs(filled(67));
    const [expected, gradient] = crossEntropyReference({ logits, targets, weights });
    const alone = crossEntropy(tf.add(logits, 0), targets, weights, false);
    await close(alone.logp, expected, 1e-5);
    expect(alone.dz).toBeUndefined();
    const { logp, dz } = crossEntropy(logits, targets, weights, true);
    await close(logp, expected, 1e-5);
    await close(dz, gradient, 1e-5);
    expect((await logp.data())[0]).toBe(0);
  });

  it('dropout repeats itself, differs by place, and drops about p', async () => {
    const x = tf.ones([1000]);
    const seed = tf.tensor1d([7], 'int32');
    const ours = await dropout(x, seed, 0.25, 3).data();
    expect(ours).toEqual(
      await dropoutReference({ x, seed: tf.tensor1d([7], 'int32') }, { p: 0.25, place: 3 }).data(),
    );
    const other = await dropout(x, seed, 0.25, 4).data();
    expect(other).not.toEqual(ours);
    // 1000 draws at p = 0.25: 250 zeros, standard deviation 13.7; five of them either way
    const zeros = ours.filter((value) => value === 0).length;
    expect(zeros).toBeGreaterThan(180);
    expect(zeros).toBeLessThan(320);
  });
});
