/**
 * Builds a frozen weight on the device row by row, so that a matrix is never whole in the page's memory. A matrix larger than
 * one binding becomes several parts. On the processor the planes are decoded: the twins know f32 alone.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu } from '../gpu/inside';
import { makePlane, writePlane } from '../gpu/memory';
import { plainWeight, type FrozenWeight, type WeightPart } from '../ops/weight';
import { planeWords, usableFormat, type WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import { decode, encode, type Planes } from './planes';

/** Parts begin at multiples of this many rows: whole words of scales, and offsets that can be bound. */
const PART_ROWS = 64;

export class WeightBuilder {
  readonly format: WeightFormat;
  readonly #parts: WeightPart[] = [];
  readonly #values: Float32Array<ArrayBuffer> | null;

  /** `wish` is taken where the sides suit it (usableFormat). No plane of a part is larger than `mostBytes`. */
  constructor(
    wish: WeightFormat,
    readonly n: number,
    readonly k: number,
    { label = 'weight', mostBytes }: { label?: string; mostBytes?: Bytes } = {},
  ) {
    this.format = usableFormat(wish, n, k);
    this.#values = tf.getBackend() === 'webgpu' ? null : new Float32Array(n * k);
    if (this.#values) return;
    const rows = rowsPerPart(this.format, n, k, mostBytes ?? bindable());
    const dtype = this.format === 'f32' ? 'float32' : 'int32';
    for (let row = 0; row < n; row += rows) {
      const own = Math.min(rows, n - row);
      const planes = planeWords(this.format, own * k).map((words) => makePlane(words, dtype, label));
      this.#parts.push({ row, rows: own, planes });
    }
  }

  /** Planes of `rows` rows from `row` on. Both are even, or the last rows: scales lie two to a word. */
  put(row: number, rows: number, planes: Planes): void {
    if (this.#values) {
      this.#values.set(decode(planes, this.format, rows * this.k), row * this.k);
      return;
    }
    for (const part of this.#parts) {
      const begin = Math.max(row, part.row);
      const end = Math.min(row + rows, part.row + part.rows);
      if (begin >= end) continue;
      part.planes.forEach((plane, index) => {
        const words = (count: number) => planeWords(this.format, count * this.k)[index] ?? 0;
        const from = words(begin - row);
        const piece = planes[index]?.subarray(from, from + words(end - begin));
        if (piece) writePlane(plane, words(begin - part.row), piece);
      });
    }
  }

  /** Numbers of rows from `row` on, row-major. */
  putValues(row: number, values: Float32Array): void {
    this.put(row, values.length / this.k, encode(values, this.format));
  }

  finish(): FrozenWeight {
    const { format, n, k } = this;
    if (this.#values) return plainWeight(tf.keep(tf.tensor2d(this.#values, [n, k])));
    return { format, n, k, parts: this.#parts };
  }
}

function bindable(): Bytes {
  const { limits } = gpu().device;
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

function rowsPerPart(format: WeightFormat, n: number, k: number, most: Bytes): number {
  const [largest = 0] = planeWords(format, PART_ROWS * k);
  const rows = PART_ROWS * Math.floor(most / (4 * largest));
  if (rows === 0)
    throw new Error(`${PART_ROWS} rows of width ${k} need ${4 * largest} bytes; this GPU binds ${most}.`);
  return Math.min(n, rows);
}
