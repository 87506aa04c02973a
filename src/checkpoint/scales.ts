/** What the scales of blocks are made of: their size, their rounding to f16, and how halves lie in words. */
import { float32ToFloat16Bits } from './halfFloat';

/** The largest magnitude among `count` numbers from `begin` on; 0 where none is a number. */
export function largest(values: Float32Array, begin: number, count: number): number {
  let most = 0;
  for (let i = begin; i < begin + count; i++) {
    const size = Math.abs(values[i] ?? 0);
    if (size > most) most = size;
  }
  return most;
}

/** A block of scale zero has code zero throughout. */
export function divisor(scale = 0): number {
  return scale > 0 ? scale : Infinity;
}

/** f16 patterns; infinities and what rounds to one become the largest number of the same sign. */
export function finiteHalves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = float32ToFloat16Bits(values);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] ?? 0;
    if ((half & 0x7fff) === 0x7c00) bits[i] = half - 1;
  }
  return bits;
}

/** Two f16 to a word, the first one low. */
export function packHalves(halves: Uint16Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(halves.length / 2));
  new Uint16Array(words.buffer).set(halves);
  return words;
}

export function halvesOf(words: Uint32Array): Uint16Array {
  return new Uint16Array(words.buffer, words.byteOffset, 2 * words.length);
}
