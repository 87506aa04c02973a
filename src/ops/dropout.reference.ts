/** The twin of dropout.ts: the mask is made by the same hash, on the processor. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { DropoutAttrs } from './dropout';

/** The finaliser of MurmurHash3 on 32-bit words (Appleby, public domain). */
export function hash32(word: number): number {
  let h = word >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function dropoutReference({ x, seed }: Inputs, { p, place }: DropoutAttrs): tf.Tensor {
  if (!x || !seed) throw new Error('dropout misses an input.');
  const start = hash32((Number(seed.dataSync()[0]) ^ Math.imul(place, 0x9e3779b9)) >>> 0);
  const limit = Math.round(p * 2 ** 24);
  const mask = new Float32Array(x.size);
  for (let i = 0; i < mask.length; i++) mask[i] = hash32((start + i) >>> 0) >>> 8 < limit ? 0 : 1 / (1 - p);
  return tf.mul(x, tf.tensor(mask, x.shape));
}
