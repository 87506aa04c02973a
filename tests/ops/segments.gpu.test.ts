/**
 * Layers that run as one product, each with an adapter of its own or none: every design against each layer by itself, and gradients
 * added where they are made.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { dispatchCount } from '../../src/gpu/dispatch';
import { gpu } from '../../src/gpu/inside';
import { linear } from '../../src/ops/linear';
import { preferDesign } from '../../src/ops/product/choose';
import type { Segment } from '../../src/ops/segments';
import { disposeWeight } from '../../src/ops/weight';
import { relativeL2 } from '../../src/selftest/distance';
import { DESIGNS, filled, made } from './products';
import { againstEachLayer, flatState } from './segmentCases';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => {
  preferDesign(null);
  engine.check();
});

againstEachLayer(DESIGNS);

it('rows that are divided among groups, as on a graphics card, add up to the same in a flat buffer', async () => {
  const segments: Segment[] = [
    { rows: 72, rank: 8, scale: 0.5 },
    { rows: 40, rank: 4, scale: 1.5 },
  ];
  const [m, n, k] = [200, 112, 64]; // 200 rows are three groups of 64 and more
  const { weight } = made('f32', n, k, null);
  const [x, a, b, dy] = [[m, k], [12, k], [736], [m, n]].map((shape) =>
    tf.tensor(filled(shape.reduce((product, side) => product * side, 1)), shape),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const before = filled(768 + 768);
  preferDesign(() => ({ design: 'registers', rows: 4, cols: 1, broadcast: 0 }));
  const run = async () => {
    const state = flatState(before);
    const into = { a: { state, offset: 0 }, b: { state, offset: 768 } };
    const count = dispatchCount();
    tf.grads((...all) => {
      const [x1, a1, b1] = all as [tf.Tensor, tf.Tensor, tf.Tensor];
      return linear(x1, weight, { lora: { a: a1, b: b1, segments, into } });
    })([x, a, b], dy);
    return { dispatches: dispatchCount() - count, gradient: await state.gradient.data() };
  };
  const whole = await run();
  const device = gpu();
  const { software } = device;
  device.software = false;
  const divided = await run().finally(() => (device.software = software));
  expect(divided.dispatches).toBe(whole.dispatches + 2);
  expect(relativeL2(divided.gradient, whole.gradient)).toBeLessThan(1e-6);
  disposeWeight(weight);
});
