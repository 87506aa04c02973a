/**
 * Bytes of whole rows of a matrix become planes of a device format: taken over bit for bit where the format holds what the
 * encoding says, else decoded and rounded.
 */
import type { Losses } from '../protocol/models';
import { usableFormat, type WeightFormat } from '../protocol/weightFormats';
import { repackAffine4, repackQ40, repackQ41, repackQ4K, repackQ8 } from './blocks/repack';
import { affineOf, bytesInOrder, decodeRows } from './decodeRows';
import { encode, type Planes } from './planes';
import { sidesOf, type RowBytes, type RowForm } from './rows';

export interface ConvertedRows {
  /** `wish` where the sides suit it, as WeightBuilder decides: usableFormat(wish, n, k). */
  format: WeightFormat;
  /** For WeightBuilder.put(row, chunk.rows, planes). */
  planes: Planes;
  losses: Losses;
}

export const noLosses = (): Losses => ({ saturated: 0, flushed: 0, notFinite: 0 });

export function sumOfLosses(all: readonly Losses[]): Losses {
  const sum = noLosses();
  for (const { saturated, flushed, notFinite } of all) {
    sum.saturated += saturated;
    sum.flushed += flushed;
    sum.notFinite += notFinite;
  }
  return sum;
}

/** `chunk` begins and ends at rowAlignment(tensor), or with the tensor. */
export function planesOf(tensor: RowForm, chunk: RowBytes, wish: WeightFormat): ConvertedRows {
  const { n, k } = sidesOf(tensor);
  const format = usableFormat(wish, n, k);
  const taken = takeOver(tensor, chunk, format);
  // a scale that is infinite, or an offset past the range of f16, cannot be taken over
  if (taken && allFinite(taken, format)) return { format, planes: taken, losses: noLosses() };
  const values = decodeRows(tensor, chunk, scratchFor);
  return { format, planes: encode(values, format), losses: countLosses(values, format) };
}

/** Numbers of the rows at work. Fresh memory of this size for each piece costs as much as what is done in it. */
let scratch = new Float32Array(0);
const LARGEST_SCRATCH = 2 ** 20;

function scratchFor(count: number): Float32Array<ArrayBuffer> {
  if (count > LARGEST_SCRATCH) return new Float32Array(count);
  if (scratch.length < count) scratch = new Float32Array(count);
  return scratch.subarray(0, count);
}

/** Null where the format cannot hold the encoding's codes. */
function takeOver(tensor: RowForm, chunk: RowBytes, format: WeightFormat): Planes | null {
  if (tensor.oneAdded) return null;
  const bytes = bytesInOrder(tensor, chunk);
  const count = chunk.rows * sidesOf(tensor).k;
  const { encoding } = tensor;
  if (format === 'q8' && encoding === 'Q8_0') return repackQ8(bytes, count);
  if (format === 'f16' && encoding === 'F16') return [wordsOf(bytes)];
  if (format !== 'q4') return null;
  if (encoding === 'Q4_0') return repackQ40(bytes, count);
  if (encoding === 'Q4_1') return repackQ41(bytes, count);
  if (encoding === 'Q4_K') return repackQ4K(bytes, count);
  if (encoding !== 'MLX4') return null;
  const { group, scales, biases } = affineOf(tensor, chunk);
  return repackAffine4(bytes, group, scales, biases);
}

function wordsOf(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

/** True where no f16 among scales, offsets or weights is an infinity or no number. */
function allFinite(planes: Planes, format: WeightFormat): boolean {
  const words = format === 'f16' ? planes[0] : planes[1];
  const halves = words
    ? new Uint16Array(words.buffer, words.byteOffset, 2 * words.length)
    : new Uint16Array(0);
  // by index: walking an iterator is several times slower, and all weights pass here
  for (let i = 0; i < halves.length; i++) if (((halves[i] ?? 0) & 0x7c00) === 0x7c00) return false;
  return true;
}

const INFINITY = 0x7f800000;
/** 65520, from where on f16 is infinite. */
const SATURATED = 0x477ff000;
/** 2^-25, up to where f16 is zero. */
const FLUSHED = 0x33000000;

function countLosses(values: Float32Array, format: WeightFormat): Losses {
  const losses = noLosses();
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  // two loops: all weights pass here, and most formats ask the one question only
  for (let i = 0; i < words.length; i++) if (((words[i] ?? 0) & 0x7fffffff) >= INFINITY) losses.notFinite++;
  if (format !== 'f16') return losses;
  for (let i = 0; i < words.length; i++) {
    const magnitude = (words[i] ?? 0) & 0x7fffffff;
    if (magnitude >= INFINITY) continue;
    if (magnitude >= SATURATED) losses.saturated++;
    else if (magnitude > 0 && magnitude <= FLUSHED) losses.flushed++;
  }
  return losses;
}
