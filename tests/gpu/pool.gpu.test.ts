/** The pool of TensorFlow.js: what is free in it goes back to the device, what is in use stays as it is. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { emptyPool, pooledBytes } from '../../src/gpu/tensors';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

it('keeps what is in use, gives back the rest, and goes on with new buffers', async () => {
  const kept = tf.tidy(() => tf.add(tf.ones([1000]), 1));
  expect((await kept.data())[999]).toBe(2);
  const before = pooledBytes();
  const passing = tf.tidy(() => tf.mul(tf.ones([64, 1024]), 3)); // twice 256 KiB
  expect((await passing.data())[0]).toBe(3);
  passing.dispose();
  expect(pooledBytes()).toBeGreaterThanOrEqual(before + 4 * 64 * 1024);
  emptyPool();
  expect(pooledBytes()).toBeLessThanOrEqual(before);
  expect(pooledBytes()).toBeGreaterThanOrEqual(4 * 1000);
  // 5 + the kept 2
  const again = tf.tidy(() => tf.add(tf.mul(tf.ones([64, 1024]), 5), tf.slice(kept, 0, 1)));
  expect((await again.data())[65_535]).toBe(7);
  expect((await kept.data())[0]).toBe(2);
  tf.dispose([kept, again]);
});
