/**
 * The forms in which a frozen weight matrix lies on the device, and how large each is. A matrix [n, k] is kept as one or two
 * planes of 32-bit words, row after row:
 *
 *   f32    the numbers
 *   f16    two halves to a word
 *   q8     int8, four to a word                · f16 scale per 32            w = scale · code           (GGUF Q8_0 exactly)
 *   q4     4 bits, eight to a word, low first  · f16 scale | f16 offset << 16 per 32
 *                                                                            w = scale · code + offset  (Q4_0, Q4_1, MLX)
 *   nf4    4 bits, eight to a word, low first  · f16 absmax per 64           w = absmax · NF4[code]
 *                                                                            (QLoRA, Dettmers et al., arXiv 2305.14314)
 *   nf4dq  as nf4, but four absmax to a word, quantised once more (QLoRA's double quantisation, 4.125 bits a weight):
 *          6-bit parts of what they share, the first one low; above them what they share, 8 bits e, 5 of exponent and 3 of
 *          mantissa: absmax = part / 63 · 2^(e >> 3) · (1 + (e & 7) / 8) / 2^15
 *
 * f16 scales of q8 and nf4 lie two to a word. Blocks run along k, so k must be a multiple of the block; two rows of nf4dq fill
 * whole words of scales where k is one of 128.
 */
export const WEIGHT_FORMATS = ['f32', 'f16', 'q8', 'q4', 'nf4', 'nf4dq'] as const;
export type WeightFormat = (typeof WEIGHT_FORMATS)[number];

/** What k must be a multiple of. */
const WIDTH: Record<WeightFormat, number> = { f32: 1, f16: 1, q8: 32, q4: 32, nf4: 64, nf4dq: 128 };

/** Words of each plane for `count` weights, a multiple of the block. */
export function planeWords(format: WeightFormat, count: number): number[] {
  switch (format) {
    case 'f32':
      return [count];
    case 'f16':
      return [Math.ceil(count / 2)];
    case 'q8':
      return [count / 4, Math.ceil(count / 64)];
    case 'q4':
      return [count / 8, count / 32];
    case 'nf4':
      return [count / 8, Math.ceil(count / 128)];
    case 'nf4dq':
      return [count / 8, Math.ceil(count / 256)];
  }
}

/** The form a matrix [n, k] takes when `wish` is asked for: its sides must suit the blocks and the reads of four. */
export function usableFormat(wish: WeightFormat, n: number, k: number): WeightFormat {
  if (wish === 'f32' || n % 4 !== 0 || k % 4 !== 0) return 'f32';
  if (k % WIDTH[wish] === 0) return wish;
  return wish === 'nf4dq' ? usableFormat('nf4', n, k) : 'f16';
}

/** The form of embedding and head: with a 4-bit base they stay at 8 bits, where most of the loss would come from. */
export function outsideFormat(wish: WeightFormat): WeightFormat {
  return wish === 'q4' || wish === 'nf4' || wish === 'nf4dq' ? 'q8' : wish;
}

/** Bytes of a matrix [n, k] on the device. */
export function weightBytes(wish: WeightFormat, n: number, k: number): number {
  const words = planeWords(usableFormat(wish, n, k), n * k);
  return 4 * words.reduce((sum, count) => sum + count, 0);
}
