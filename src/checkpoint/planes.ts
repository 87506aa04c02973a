/**
 * Numbers to planes and back: the definition of every weight format (layouts: protocol/weightFormats.ts), by which the products
 * that read planes are judged. On the processor, where rounding is the same everywhere: a cut-off download goes on byte-equal after
 * another card took over, and the hash of a base says on every machine that it is the same base.
 */
import { planeWords, type WeightFormat } from '../protocol/weightFormats';
import { float16BitsToFloat32 } from './halfFloat';
import { absmaxOf, encodeNormalFloat, NF4 } from './normalFloat';
import { release } from './release';
import { divisor, finiteHalves, halvesOf, largest, packHalves } from './scales';

export type Planes = Uint32Array<ArrayBuffer>[];

/**
 * `values`: whole blocks. Scales fill whole words, so the last blocks may leave part of a word at zero. What f16
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
    case 'nf4dq':
      return encodeNormalFloat(values, format);
  }
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
  const values = new Float32Array(count);
  const nibble = (i: number): number => ((bytes[i >> 1] ?? 0) >> (4 * (i & 1))) & 15;
  if (format === 'nf4' || format === 'nf4dq') {
    const absmax = absmaxOf(scales, format);
    for (let i = 0; i < count; i++) values[i] = (absmax[i >> 6] ?? 0) * (NF4[nibble(i)] ?? 0);
    return values;
  }
  const halves = float16BitsToFloat32(halvesOf(scales));
  if (format === 'q8') {
    const signed = new Int8Array(bytes.buffer, bytes.byteOffset, count);
    for (let i = 0; i < count; i++) values[i] = (halves[i >> 5] ?? 0) * (signed[i] ?? 0);
    return values;
  }
  for (let i = 0; i < count; i++)
    values[i] = Math.fround((halves[2 * (i >> 5)] ?? 0) * nibble(i)) + (halves[2 * (i >> 5) + 1] ?? 0);
  return values;
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
