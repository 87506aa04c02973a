/**
 * ggml's blocks of 32 numbers: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 (ggml-quants.c, dequantize_row_*). f16 scale d, then f16 minimum m
 * (…_1), fifth bits of all numbers (Q5_…), then codes: byte j of 16 holds number j low and number j + 16 high.
 *
 *   Q8_0  w = d · int8          Q4_0  w = d · (code − 8)     Q4_1  w = d · code + m
 *                               Q5_0  w = d · (code − 16)    Q5_1  w = d · code + m
 */
import { float16At } from '../halfFloat';

export type LegacyEncoding = 'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1';

/** Whole blocks → their numbers. */
export function decodeLegacy(bytes: Uint8Array, encoding: LegacyEncoding, out: Float32Array): void {
  if (encoding === 'Q8_0') return decodeQ8(bytes, out);
  const hasMinimum = encoding.endsWith('_1');
  const isFive = encoding.startsWith('Q5');
  const codesAt = (hasMinimum ? 4 : 2) + (isFive ? 4 : 0);
  const size = codesAt + 16;
  const zero = hasMinimum ? 0 : isFive ? -16 : -8;
  for (let block = 0; block < out.length / 32; block++) {
    const at = block * size;
    const scale = float16At(bytes, at);
    const minimum = hasMinimum ? float16At(bytes, at + 2) : 0;
    const fifth = isFive ? wordAt(bytes, at + codesAt - 4) : 0;
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + codesAt + j] ?? 0;
      const low = (pair & 15) | (((fifth >>> j) & 1) << 4);
      const high = (pair >> 4) | (((fifth >>> (j + 16)) & 1) << 4);
      out[32 * block + j] = Math.fround(scale * (low + zero)) + minimum;
      out[32 * block + j + 16] = Math.fround(scale * (high + zero)) + minimum;
    }
  }
}

function decodeQ8(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0; block < out.length / 32; block++) {
    const at = 34 * block;
    const scale = float16At(bytes, at);
    for (let j = 0; j < 32; j++) out[32 * block + j] = scale * (((bytes[at + 2 + j] ?? 0) << 24) >> 24);
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return a | (b << 8) | (c << 16) | (d << 24);
}
