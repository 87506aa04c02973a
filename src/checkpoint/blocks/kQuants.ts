/**
 * ggml's super-blocks of 256 numbers: Q4_K, Q5_K, Q6_K (ggml-quants.c, dequantize_row_*_K).
 *
 *   Q4_K  f16 d, f16 dmin, 12 bytes of eight 6-bit scales s and minima m, 128 bytes of 4-bit codes      w = d·s·code − dmin·m
 *   Q5_K  the same with 32 bytes of fifth bits before the codes
 *   Q6_K  128 bytes of low 4 bits, 64 of high 2 bits, 16 int8 scales s for 16 numbers each, f16 d          w = d·s·(code − 32)
 */
import { float16At } from '../halfFloat';

export const Q4K_BYTES = 144;
const Q5K_BYTES = 176;
const Q6K_BYTES = 210;

/** The 6-bit scale of sub-block `j` of 8, whose 12 packed bytes begin at `at`. */
export function scaleOf(bytes: Uint8Array, at: number, j: number): number {
  if (j < 4) return (bytes[at + j] ?? 0) & 63;
  return ((bytes[at + j + 4] ?? 0) & 15) | (((bytes[at + j - 4] ?? 0) >> 6) << 4);
}

/** The 6-bit minimum of sub-block `j` of 8. */
export function minimumOf(bytes: Uint8Array, at: number, j: number): number {
  if (j < 4) return (bytes[at + j + 4] ?? 0) & 63;
  return ((bytes[at + j + 4] ?? 0) >> 4) | (((bytes[at + j] ?? 0) >> 6) << 4);
}

export function decodeQ4K(bytes: Uint8Array, out: Float32Array): void {
  decodeScaled(bytes, out, Q4K_BYTES, null);
}

export function decodeQ5K(bytes: Uint8Array, out: Float32Array): void {
  decodeScaled(bytes, out, Q5K_BYTES, 16);
}

/** `fifthBits`: where in a block the fifth bits begin. The codes are its last 128 bytes. */
function decodeScaled(bytes: Uint8Array, out: Float32Array, size: number, fifthBits: number | null): void {
  for (let block = 0; block < out.length / 256; block++) {
    const at = block * size;
    const d = float16At(bytes, at);
    const dmin = float16At(bytes, at + 2);
    for (let j = 0; j < 8; j++) {
      const scale = Math.fround(d * scaleOf(bytes, at + 4, j));
      const minimum = Math.fround(dmin * minimumOf(bytes, at + 4, j));
      // two sub-blocks share 32 bytes of codes: the even one their low halves, the odd one their high halves
      const codes = at + size - 128 + 32 * (j >> 1);
      const shift = 4 * (j & 1);
      for (let l = 0; l < 32; l++) {
        const four = ((bytes[codes + l] ?? 0) >> shift) & 15;
        const fifth = fifthBits === null ? 0 : ((bytes[at + fifthBits + l] ?? 0) >> j) & 1;
        out[256 * block + 32 * j + l] = Math.fround(scale * (four | (fifth << 4))) - minimum;
      }
    }
  }
}

export function decodeQ6K(bytes: Uint8Array, out: Float32Array): void {
  for (let block = 0; block < out.length / 256; block++) {
    const at = block * Q6K_BYTES;
    const d = float16At(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      // halves of 128; in each, four quarters of 32 share bytes
      const half = i >> 7;
      const quarter = (i >> 5) & 3;
      const l = i & 31;
      const low = ((bytes[at + 64 * half + 32 * (quarter & 1) + l] ?? 0) >> (4 * (quarter >> 1))) & 15;
      const high = ((bytes[at + 128 + 32 * half + l] ?? 0) >> (2 * quarter)) & 3;
      const scale = ((bytes[at + 192 + (i >> 4)] ?? 0) << 24) >> 24;
      out[256 * block + i] = Math.fround(d * scale) * ((low | (high << 4)) - 32);
    }
  }
}
