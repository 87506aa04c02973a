/** Numbers that wait as half floats, against the bit patterns of checkpoint/halfFloat.ts. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { float16BitsToFloat32, float32ToFloat16Bits } from '../../src/checkpoint/halfFloat';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { fromHalves, toHalves } from '../../src/ops/halves';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

async function there(values: Float32Array, shape: number[]): Promise<Float32Array> {
  const x = tf.tensor(values, shape);
  const words = toHalves(x);
  expect(words.shape).toEqual([Math.ceil(values.length / 2)]);
  const back = fromHalves(words, shape);
  expect(back.shape).toEqual(shape);
  const read = (await back.data<'float32'>()).slice();
  tf.dispose([x, words, back]);
  return read;
}

// one word, an odd count, past a workgroup of 64 words, a layer's input of Qwen2.5-0.5B
it.each([
  [1, 2],
  [3, 43],
  [5, 130],
  [64, 896],
])('%i × %i numbers come back within a step of a half float', async (rows, width) => {
  const values = Float32Array.from(
    { length: rows * width },
    (_, i) => Math.sin(i * 0.7) * 10 ** ((i % 7) - 2),
  );
  const nearest = float16BitsToFloat32(float32ToFloat16Bits(values));
  const back = await there(values, [rows, width]);
  back.forEach((value, i) => {
    // WGSL lets a device round either way, by one part in 1024 at most, and take numbers below the normal ones for zero
    const step = Math.max(Math.abs(values[i] ?? NaN) / 1024, 2 ** -14);
    expect(Math.abs(value - (values[i] ?? NaN))).toBeLessThanOrEqual(step);
    expect(Math.abs(value - (nearest[i] ?? NaN))).toBeLessThanOrEqual(step);
  });
  expect(back.some((value, i) => value !== values[i])).toBe(true);
});

it('half floats stay as they are, and what is beyond them becomes the largest', async () => {
  const exact = [1, -1, 0.5, 2048, -0.333251953125, 65504, -65504, 6.103515625e-5];
  expect([...(await there(Float32Array.from(exact), [8]))]).toEqual(exact);
  const beyond = Float32Array.from([7e4, -7e4, 3e38, -1e20]);
  expect([...(await there(beyond, [4]))]).toEqual([65504, -65504, 65504, -65504]);
});
