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
import { linear } from '../../src/ops/linear';
import { dxReference, linearReference, outerReference } from '../../src/ops/linear.reference';
import { rmsNorm } from '../../src/ops/rmsNorm';
import { ropeReference } from '../../src/ops/rope.reference';
import { rope } from '../../src/ops/rope';
import { splitColumns } from '../../src/ops/splitColumns';
import { joinColumnsReference, splitColumnsReference } from '../../src/ops/splitColumns.reference';
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
    const [expected] = linearReference({ x, w, a, b, bias, residual }, { weight: null, scale });
    const run = (...[x1, a1, b1]: tf.Tensor[]) => {
      if (!x1 || !a1 || !b1) throw new Error('An input is missing.');
      return linear(x1, plainWeight(w), { bias, residual, lora: { a: a1, b: b1, scale } });
    };
    await close(run(x, a, b), expected, 1e-5);
    const [dx, da, db] = tf.grads((...inputs) => run(...(inputs as tf.Tensor[])))([x, a, b], dy);
    const du = tf.mul(tf.matMul(dy as tf.Tensor2D, b as tf.Tensor2D), scale);
    await close(dx, dxReference({ dy, w, du, a }, { weight: null, scale: 1 }), 1e-5);
    await close(da, outerReference({ p: du, q: x }, { scale: 1 }), 1e-5);
    const u = tf.matMul(x as tf.Tensor2D, a as tf.Tensor2D, false, true);
    await close(db, outerReference({ p: dy, q: u }, { scale }), 1e-5);
  });
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
    }
  });
});

describe('rope and splitColumns', () => {
  // heads · d: one pair past a workgroup; Phi-4-mini's heads, of which three quarters are turned
  it.each([
    [65, 1, 4, 4],
    [33, 24, 128, 96],
  ])(
    'rope gives the twin’s result and turns back: %i rows, %i heads of %i, %i turned',
    async (rows, heads, d, turned) => {
      const [x, dy, table] = [filled(rows, heads * d), filled(rows, heads * d), filled(rows, turned)];
      const positions = tf.tensor1d(
        Int32Array.from({ length: rows }, (_, i) => (i * 7) % rows),
        'int32',
      );
      const attrs = { heads, headDim: d };
      await close(
        rope(x, positions, table, heads, d),
        ropeReference({ x, positions, table }, { ...attrs, direction: 1 }),
        1e-6,
      );
      const dx = tf.grad((t) => rope(t as tf.Tensor, positions, table, heads, d))(x, dy);
      await close(dx, ropeReference({ x: dy, positions, table }, { ...attrs, direction: -1 }), 1e-6);
    },
  );

  // odd widths; Phi-3's gate and up
  it.each([
    [7, [5, 1, 4]],
    [33, [3072, 3072, 3072]],
  ])('splitColumns gives the twin’s parts and gradient: %i rows, %j', async (rows, widths) => {
    const x = filled(
      rows,
      widths.reduce((a, b) => a + b, 0),
    );
    const parts = splitColumns(x, widths);
    const expected = splitColumnsReference({ x }, { widths });
    for (const index of widths.keys()) await close(parts[index], expected[index], 1e-9);
    const dys = widths.map((width) => filled(rows, width));
    const dx = tf.grad((t) =>
      tf.addN(splitColumns(t as tf.Tensor, widths).map((part, i) => tf.sum(tf.mul(part, dys[i] ?? NaN)))),
    )(x);
    await close(
      dx,
      joinColumnsReference(Object.fromEntries(dys.map((dy, i) => [String(i), dy])), { widths }),
      1e-6,
    );
  });
});

describe('glu, cross entropy, dropout', () => {
  it.each(['silu', 'gelu_tanh'] as const)(
    'glu with %s does not overflow at ±100 and gives the twin’s gradients',
    async (activation) => {
      const gate = tf.concat([
        filled(3, 65),
        tf.pad(tf.tensor2d([[100, -100, 30, -30, 0.5]]), [
          [0, 0],
          [0, 60],
        ]),
      ]);
      const [up, dy] = [filled(4, 65), filled(4, 65)];
      const attrs = { activation };
      await close(glu(gate, up, activation), gluReference({ gate, up }, attrs), 1e-5);
      const ours = tf.grads((a, b) => glu(a as tf.Tensor, b as tf.Tensor, activation))([gate, up], dy);
      const theirs = gluGradReference({ gate, up, dy }, attrs);
      for (const index of [0, 1]) await close(ours[index], theirs[index], 1e-5);
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
