/**
 * nf4 and nf4dq (protocol/weightFormats.ts): 4-bit codes of a normal distribution's quantiles, one absmax for 64 of them, in f16 or
 * quantised once more. QLoRA (Dettmers et al., arXiv 2305.14314) gives the second quantisation 8-bit codes with an f32 for 256 of them:
 * 4.127 bits a weight. Here four absmax share one word, so that a product reads one word for 256 weights: 4.125 bits.
 */
import { float16BitsToFloat32 } from './halfFloat';
import { release } from './release';
import { divisor, finiteHalves, halvesOf, largest, packHalves } from './scales';

/** The 16 values of nf4: quantiles of a normal distribution, scaled to ±1 (QLoRA, appendix E; bitsandbytes). */
export const NF4 = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

/** Halfway between two neighbours of NF4: a number above `middle[c]` takes a code above c. */
const MIDDLES = Float64Array.from({ length: 15 }, (_, c) => ((NF4[c] ?? 0) + (NF4[c + 1] ?? 0)) / 2);

/** −1 … 1 in cells so narrow that none holds two middles: the code at the lower end of each. */
const CELLS = 64;
const CODES = Uint8Array.from(
  { length: 2 * CELLS },
  (_, cell) => MIDDLES.filter((middle) => middle < cell / CELLS - 1).length,
);

/** The code of the nearest of NF4's values; of no number, 0. */
function nearest(x: number): number {
  if (x >= 1) return 15;
  if (!(x > -1)) return 0;
  const code = CODES[((x + 1) * CELLS) | 0] ?? 0;
  return x > (MIDDLES[code] ?? 1) ? code + 1 : code;
}

/** `values`: whole blocks of 64. Codes, and words of their scales. */
export function encodeNormalFloat(
  values: Float32Array,
  format: 'nf4' | 'nf4dq',
): [codes: Uint32Array<ArrayBuffer>, scales: Uint32Array<ArrayBuffer>] {
  const blocks = values.length / 64;
  const absmax = new Float32Array(blocks);
  for (let block = 0; block < blocks; block++) absmax[block] = largest(values, 64 * block, 64);
  const scales = format === 'nf4' ? packHalves(finiteHalves(absmax)) : sharedWords(absmax);
  // codes are the nearest under the scale that will be read
  const rounded = absmaxOf(scales, format);
  const words = new Uint32Array(values.length / 8);
  for (let word = 0; word < words.length; word++) {
    const scale = divisor(rounded[word >> 3]);
    let codes = 0;
    for (let i = 8 * word + 7; i >= 8 * word; i--) codes = (codes << 4) | nearest((values[i] ?? 0) / scale);
    words[word] = codes;
  }
  release(absmax, rounded);
  return [words, scales];
}

/** The absmax of every block, and of those that only fill the last word. */
export function absmaxOf(scales: Uint32Array, format: 'nf4' | 'nf4dq'): Float32Array<ArrayBuffer> {
  if (format === 'nf4') return float16BitsToFloat32(halvesOf(scales));
  const absmax = new Float32Array(4 * scales.length);
  for (let i = 0; i < absmax.length; i++) {
    const word = scales[i >> 2] ?? 0;
    // 4 and 6 bits: their product is exact, so that every machine rounds once, and alike
    absmax[i] = shared(word >>> 24) * ((word >>> (6 * (i & 3))) & 63) * PART;
  }
  return absmax;
}

const PART = Math.fround(1 / 63);
/** 2^-15, the f32 whose bits are those of the smallest shared number. */
const SMALLEST = 112 << 23;

const shared = (e: number): number => 2 ** ((e >> 3) - 15) * (1 + (e & 7) / 8);

function sharedWords(absmax: Float32Array): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(absmax.buffer, absmax.byteOffset, absmax.length);
  const words = new Uint32Array(Math.ceil(absmax.length / 4));
  for (let word = 0; word < words.length; word++) {
    let most = 0;
    for (let i = 4 * word; i < 4 * word + 4; i++) most = Math.max(most, bits[i] ?? 0);
    // the upper bits of an f32 are exponent and mantissa: rounded up, so that no part is more than the whole
    const e = Math.min(255, Math.max(0, Math.ceil((most - SMALLEST) / 2 ** 20)));
    let parts = 0;
    for (let i = 4 * word + 3; i >= 4 * word; i--)
      parts = (parts << 6) | Math.min(63, Math.round((63 * (absmax[i] ?? 0)) / shared(e)));
    words[word] = (e << 24) | parts;
  }
  return words;
}
