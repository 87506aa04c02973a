/** What is run again from a recording is what would have been built again, on what its inputs hold then, whoever worked in between. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { Recorder } from '../../src/gpu/recorder';
import { refill } from '../../src/gpu/refill';
import { copyTensor, emptyPool, output, pooledBytes } from '../../src/gpu/tensors';
import { rmsNorm, type NormAttrs } from '../../src/ops/rmsNorm';
import { scatterRows } from '../../src/ops/pickRows';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

/** On the device already. */
const input = (...values: number[]) => refill(undefined, Float32Array.from(values), [values.length]);
const norm: NormAttrs = { epsilon: 0, offset: 0 };
/** 3 / √((9 + 16) / 2) and 4 / √((9 + 16) / 2) */
const [small, large] = [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)];

it('runs on new inputs, and nobody else gets the buffers of what it makes on the way', async () => {
  const recorder = new Recorder();
  const [ones, twos] = [input(1, 1), input(2, 2)];
  const x = refill(undefined, Float32Array.of(3, 4), [1, 2]);
  // the inner result is gone after it, so that its buffer would be the next one of its size
  const run = () => recorder.run('', () => tf.tidy(() => rmsNorm(rmsNorm(x, ones, norm), twos, norm)));
  const first = Array.from(await run().data());
  expect(first[0]).toBeCloseTo(2 * small, 5);
  expect(first[1]).toBeCloseTo(2 * large, 5);

  const others = [0, 1, 2, 3].map((i) => input(100 * i, 7));
  refill(x, Float32Array.of(-8, 6), [1, 2]);
  const second = Array.from(await run().data());
  expect(second[0]).toBeCloseTo(-2 * large, 5);
  expect(second[1]).toBeCloseTo(2 * small, 5);
  const kept = await Promise.all(others.map(async (other) => Array.from(await other.data())));
  expect(kept).toEqual([0, 1, 2, 3].map((i) => [100 * i, 7]));
  recorder.forget();
  tf.dispose([ones, twos, x, ...others]);
});

it('what it writes in place is read anew, it is built once, and all is given back in the end', async () => {
  const tensors = tf.memory().numTensors;
  const recorder = new Recorder();
  const target = refill(undefined, Float32Array.of(1, 1, 1, 1, 1, 1), [3, 2]);
  const ones = input(1, 1);
  const rows = refill(undefined, Float32Array.of(3, 4), [1, 2]);
  const at = refill(undefined, Int32Array.of(2), [1]);
  let built = 0;
  const run = () =>
    recorder.run('', () => {
      built++;
      const made = rmsNorm(rows, ones, norm);
      scatterRows(target, made, at);
      return made;
    });
  run();
  expect(Array.from(await target.data()).slice(0, 4)).toEqual([1, 1, 1, 1]);
  refill(at, Int32Array.of(0), [1]);
  run();
  const values = Array.from(await target.data());
  [small, large, 1, 1, small, large].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
  expect(built).toBe(1);
  recorder.forget();
  run();
  expect(built).toBe(2);
  recorder.forget();
  tf.dispose([target, ones, rows, at]);
  expect(tf.memory().numTensors).toBe(tensors);
});

it('works of several shapes share what they make on the way', async () => {
  const recorder = new Recorder();
  const [ones, x] = [input(1, 1), refill(undefined, Float32Array.of(3, 4), [1, 2])];
  const times = (count: number) =>
    recorder.run(String(count), () =>
      tf.tidy(() => {
        let y = x;
        for (let i = 0; i < count; i++) y = rmsNorm(y, ones, norm);
        return y;
      }),
    );
  emptyPool();
  times(3);
  const held = pooledBytes();
  times(2);
  expect(pooledBytes() - held).toBe(0);
  for (const count of [3, 2]) {
    const values = Array.from(await times(count).data());
    expect(values[0]).toBeCloseTo(small, 5);
    expect(values[1]).toBeCloseTo(large, 5);
  }
  recorder.forget();
  tf.dispose([ones, x]);
});

it.each([
  ['an operation of TensorFlow.js', (x: tf.Tensor) => tf.add(x, x)],
  ['numbers of the page', (x: tf.Tensor) => tf.tidy(() => rmsNorm(x, tf.tensor1d([1, 1]), norm))],
  [
    'a copy',
    (x: tf.Tensor) => {
      const copy = output([1, 2]);
      copyTensor(x, copy);
      return tf.engine().makeTensorFromTensorInfo(copy);
    },
  ],
])('is built each time with %s in it', async (_, work) => {
  const recorder = new Recorder();
  const x = refill(undefined, Float32Array.of(3, 4), [1, 2]);
  const ones = input(1, 1);
  let built = 0;
  const run = () =>
    recorder.run('', () => {
      built++;
      return tf.tidy(() => rmsNorm(work(x), ones, norm));
    });
  run();
  refill(x, Float32Array.of(-8, 6), [1, 2]);
  const values = Array.from(await run().data());
  expect(values[0]).toBeCloseTo(-large, 5);
  expect(values[1]).toBeCloseTo(small, 5);
  expect(built).toBe(2);
  recorder.forget();
  tf.dispose([x, ones]);
});

it('after work that failed all is recorded anew, since what was recorded before is held no more', async () => {
  const recorder = new Recorder();
  const [ones, x] = [input(1, 1), refill(undefined, Float32Array.of(3, 4), [1, 2])];
  let built = 0;
  const right = () =>
    recorder.run('right', () => {
      built++;
      return tf.tidy(() => rmsNorm(rmsNorm(x, ones, norm), ones, norm));
    });
  right();
  const failing = () => {
    throw new Error('No such work.');
  };
  expect(() => recorder.run('wrong', failing)).toThrow('No such work.');
  const values = Array.from(await right().data());
  expect(built).toBe(2);
  expect(values[0]).toBeCloseTo(small, 5);
  recorder.forget();
  tf.dispose([ones, x]);
});
