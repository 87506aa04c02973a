/**
 * Numbers to planes and back: the definition of every weight format (layouts: protocol/weightFormats.ts), by which the products
 * that read planes are judged. On the processor, where rounding is the same everywhere: a cut-off download goes on byte-equal after
 * another card took over, and the hash of a base says on every machine that it is the same base.
 */
import { planeWords, type WeightFormat } from '../protocol/weightFormats';
import { float16BitsToFloat32, float32ToFloat16Bits } from './halfFloat';
import { release } from './release';

/** The 16 values of nf4: quantiles of a normal distribution, scaled to ±1 (QLoRA, appendix E; bitsandbytes). */
export const NF4 = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

export type Planes = Uint32Array<ArrayBuffer>[];

/**
 * `values`: whole blocks. Blocks of f16 scales are written in pairs, so an odd last block leaves half a word at zero. What f16
 * cannot reach, weight or scale, becomes ±65504, so that no plane holds an infinity.
 */
export function encode(values: Float32Array, format: WeightFormat): Planes {
  switch (format) {
    case 'f32':
      return [new Uint32Array(values.slice().buffer)];
    case 'f16':
      return [packHalves(finiteHalves(values))];
    case 'q8':
      return encodeQ8(values);
    case 'q4':
      return encodeQ4(values);
    case 'nf4':
      return encodeNf4(values);
  }
}

/** f16 patterns; infinities and what rounds to one become the largest number of the same sign. */
function finiteHalves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = float32ToFloat16Bits(values);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] ?? 0;
    if ((half & 0x7fff) === 0x7c00) bits[i] = half - 1;
  }
  return bits;
}

/** `count` numbers out of planes. */
export function decode(
  planes: readonly Uint32Array[],
  format: WeightFormat,
  count: number,
): Float32Array<ArrayBuffer> {
  const [codes, scales] = planes;
  planeWords(format, count).forEach((words, index) => {
    const found = planes[index]?.length ?? 0;
    if (found < words)
      throw new Error(
        `Plane ${index} of ${count} ${format} weights has ${found} words; ${words} are needed.`,
      );
  });
  if (!codes) throw new Error('A weight has no planes.');
  if (format === 'f32') return new Float32Array(codes.slice(0, count).buffer);
  const bytes = new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength);
  if (format === 'f16') return float16BitsToFloat32(halvesOf(codes)).slice(0, count);
  if (!scales) throw new Error(`A ${format} weight needs a plane of scales.`);
  const halves = float16BitsToFloat32(halvesOf(scales));
  const values = new Float32Array(count);
  if (format === 'q8') {
    const signed = new Int8Array(bytes.buffer, bytes.byteOffset, count);
    for (let i = 0; i < count; i++) values[i] = (halves[i >> 5] ?? 0) * (signed[i] ?? 0);
    return values;
  }
  for (let i = 0; i < count; i++) {
    const code = ((bytes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
    values[i] =
      format === 'q4'
        ? Math.fround((halves[2 * (i >> 5)] ?? 0) * code) + (halves[2 * (i >> 5) + 1] ?? 0)
        : (halves[i >> 6] ?? 0) * (NF4[code] ?? 0);
  }
  return values;
}

/** Two f16 to a word, the first one low. */
export function packHalves(halves: Uint16Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(halves.length / 2));
  new Uint16Array(words.buffer).set(halves);
  return words;
}

function halvesOf(words: Uint32Array): Uint16Array {
  return new Uint16Array(words.buffer, words.byteOffset, 2 * words.length);
}

function encodeQ8(values: Float32Array): Planes {
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(values.length / 32);
  for (let block = 0; block < scales.length; block++) scales[block] = largest(values, 32 * block, 32) / 127;
  const bits = finiteHalves(scales);
  const rounded = float16BitsToFloat32(bits);
  for (let block = 0; block < scales.length; block++) {
    const scale = divisor(rounded[block]);
    for (let i = 32 * block; i < 32 * block + 32; i++) {
      // shifted above zero, where cutting the fraction off rounds down
      const shifted = (values[i] ?? 0) / scale + 128.5;
      codes[i] = (shifted >= 255 ? 255 : shifted < 1 ? 1 : shifted | 0) - 128;
    }
  }
  const packed = packHalves(bits);
  release(scales, bits, rounded);
  return [new Uint32Array(codes.buffer), packed];
}

function encodeQ4(values: Float32Array): Planes {
  const blocks = values.length / 32;
  const pairs = new Float32Array(2 * blocks);
  for (let block = 0; block < blocks; block++) {
    let low = Infinity;
    let high = -Infinity;
    for (let i = 32 * block; i < 32 * block + 32; i++) {
      const value = values[i] ?? 0;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    pairs[2 * block] = (high - low) / 15;
    pairs[2 * block + 1] = low;
  }
  const bits = finiteHalves(pairs);
  const rounded = float16BitsToFloat32(bits);
  const words = new Uint32Array(values.length / 8);
  for (let word = 0; word < words.length; word++) {
    const block = word >> 2;
    const inverse = 1 / divisor(rounded[2 * block]);
    const low = rounded[2 * block + 1] ?? 0;
    let codes = 0;
    for (let i = 8 * word + 7; i >= 8 * word; i--) {
      const shifted = ((values[i] ?? 0) - low) * inverse + 0.5;
      codes = (codes << 4) | (shifted >= 15 ? 15 : shifted > 0 ? shifted | 0 : 0);
    }
    words[word] = codes;
  }
  const packed = packHalves(bits);
  release(pairs, bits, rounded);
  return [words, packed];
}

/** A block of scale zero has code zero throughout. */
function divisor(scale = 0): number {
  return scale > 0 ? scale : Infinity;
}

/** Halfway between two neighbours of NF4: a number above `middle[c]` takes a code above c. */
const MIDDLES = Float64Array.from({ length: 15 }, (_, c) => ((NF4[c] ?? 0) + (NF4[c + 1] ?? 0)) / 2);

function encodeNf4(values: Float32Array): Planes {
  const scales = new Float32Array(values.length / 64);
  for (let block = 0; block < scales.length; block++) scales[block] = largest(values, 64 * block, 64);
  const bits = finiteHalves(scales);
  const rounded = float16BitsToFloat32(bits);
  const words = new Uint32Array(values.length / 8);
  for (let word = 0; word < words.length; word++) {
    const scale = divisor(rounded[word >> 3]);
    let codes = 0;
    for (let i = 8 * word + 7; i >= 8 * word; i--) {
      const x = (values[i] ?? 0) / scale;
      // halving: how many of the 15 middles lie below x
      let code = x > (MIDDLES[7] ?? 0) ? 8 : 0;
      if (x > (MIDDLES[code + 3] ?? 0)) code += 4;
      if (x > (MIDDLES[code + 1] ?? 0)) code += 2;
      if (x > (MIDDLES[code] ?? 0)) code += 1;
      codes = (codes << 4) | code;
    }
    words[word] = codes;
  }
  const packed = packHalves(bits);
  release(scales, bits, rounded);
  return [words, packed];
}

function largest(values: Float32Array, begin: number, count: number): number {
  let most = 0;
  for (let i = begin; i < begin + count; i++) {
    const size = Math.abs(values[i] ?? 0);
    if (size > most) most = size;
  }
  return most;
}
