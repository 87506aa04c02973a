/**
 * Bytes of whole rows of a matrix become planes of a device format: taken over bit for bit where the format holds what the
 * encoding says, else decoded and rounded.
 */
import { usableFormat, type WeightFormat } from '../protocol/weightFormats';
import type { CheckpointTensor } from './checkpoint';
import { decodeRows } from './decodeRows';
import { encode, type Planes } from './planes';
import { sidesOf, type RowBytes } from './rows';

/** What did not survive as it was: numbers of weights. */
export interface Losses {
  /** Finite, past ±65504: kept as ±65504. */
  saturated: number;
  /** Not zero, and below half the smallest f16: kept as zero. */
  flushed: number;
  /** Infinite or no number in the file itself. */
  notFinite: number;
}

export interface ConvertedRows {
  /** `wish` where the sides suit it, as WeightBuilder decides: usableFormat(wish, n, k). */
  format: WeightFormat;
  /** For WeightBuilder.put(row, chunk.rows, planes). */
  planes: Planes;
  losses: Losses;
}

/** `chunk` begins and ends at rowAlignment(tensor), or with the tensor. */
export function planesOf(tensor: CheckpointTensor, chunk: RowBytes, wish: WeightFormat): ConvertedRows {
  const { n, k } = sidesOf(tensor);
  const format = usableFormat(wish, n, k);
  return {
    format,
    planes: encode(decodeRows(tensor, chunk), format),
    losses: { saturated: 0, flushed: 0, notFinite: 0 },
  };
}
