/**
 * Blocks of a file taken over into q8 and q4 planes code by code. q8 holds Q8_0 and q4 holds Q4_0, Q4_1 and MLX's 4 bits exactly where
 * scale and offset are f16; of Q4_K each scale and each minimum is rounded to f16 once.
 */
import { float16At, float32ToFloat16Bits, halfAt } from '../halfFloat';
import type { Planes } from '../planes';
import { packHalves } from '../scales';
import { minimumOf, Q4K_BYTES, scaleOf } from './kQuants';

export function repackQ8(bytes: Uint8Array, count: number): Planes {
  const codes = new Uint8Array(count);
  const scales = new Uint16Array(count / 32);
  for (let block = 0; block < scales.length; block++) {
    const at = 34 * block;
    scales[block] = halfAt(bytes, at);
    for (let j = 0; j < 32; j++) codes[32 * block + j] = bytes[at + 2 + j] ?? 0;
  }
  return [new Uint32Array(codes.buffer), packHalves(scales)];
}

/** Q4_0: the offset is −8 times the scale. */
export function repackQ40(bytes: Uint8Array, count: number): Planes {
  const codes = new Uint8Array(count / 2);
  const pairs = new Float32Array(count / 16);
  for (let block = 0; block < count / 32; block++) {
    const scale = float16At(bytes, 18 * block);
    pairs[2 * block] = scale;
    pairs[2 * block + 1] = -8 * scale;
    neighbours(bytes, 18 * block + 2, codes, 16 * block);
  }
  return [new Uint32Array(codes.buffer), packHalves(float32ToFloat16Bits(pairs))];
}

export function repackQ41(bytes: Uint8Array, count: number): Planes {
  const codes = new Uint8Array(count / 2);
  const pairs = new Uint16Array(count / 16);
  for (let block = 0; block < count / 32; block++) {
    pairs[2 * block] = halfAt(bytes, 20 * block);
    pairs[2 * block + 1] = halfAt(bytes, 20 * block + 2);
    neighbours(bytes, 20 * block + 4, codes, 16 * block);
  }
  return [new Uint32Array(codes.buffer), packHalves(pairs)];
}

export function repackQ4K(bytes: Uint8Array, count: number): Planes {
  const codes = new Uint8Array(count / 2);
  const pairs = new Float32Array(count / 16);
  for (let block = 0; block < count / 32; block++) {
    const j = block & 7;
    const at = Q4K_BYTES * (block >> 3);
    pairs[2 * block] = float16At(bytes, at) * scaleOf(bytes, at + 4, j);
    pairs[2 * block + 1] = -float16At(bytes, at + 2) * minimumOf(bytes, at + 4, j);
    // a sub-block is one half of 32 bytes: its low nibbles or its high ones
    const from = at + 16 + 32 * (j >> 1);
    const shift = 4 * (j & 1);
    for (let i = 0; i < 16; i++) {
      const first = ((bytes[from + 2 * i] ?? 0) >> shift) & 15;
      const second = ((bytes[from + 2 * i + 1] ?? 0) >> shift) & 15;
      codes[16 * block + i] = first | (second << 4);
    }
  }
  return [new Uint32Array(codes.buffer), packHalves(float32ToFloat16Bits(pairs))];
}

/** Codes as they are; scales and biases of a group repeated for each 32 numbers. */
export function repackAffine4(
  codes: Uint8Array,
  group: number,
  scales: Float32Array,
  biases: Float32Array,
): Planes {
  const each = group / 32;
  const pairs = new Float32Array(2 * each * scales.length);
  for (let block = 0; block < pairs.length / 2; block++) {
    pairs[2 * block] = scales[Math.floor(block / each)] ?? 0;
    pairs[2 * block + 1] = biases[Math.floor(block / each)] ?? 0;
  }
  return [new Uint32Array(codes.slice().buffer), packHalves(float32ToFloat16Bits(pairs))];
}

/** 16 bytes that hold number j low and number j + 16 high → the 32 numbers in order, two to a byte. */
function neighbours(from: Uint8Array, at: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < 8; i++) {
    const first = from[at + 2 * i] ?? 0;
    const second = from[at + 2 * i + 1] ?? 0;
    to[toAt + i] = (first & 15) | ((second & 15) << 4);
    to[toAt + i + 8] = (first >> 4) | (second & 0xf0);
  }
}
