/**
 * Layers that read the same input are one product: their weights lie one below the other, and so do the A's of their adapters. A
 * segment is what one of them owns: columns of the result, columns of u = x Aᵀ, numbers of the block of B's. Rank 0: no adapter.
 */
export interface Segment {
  /** Rows of the weight, which are columns of the result. */
  rows: number;
  rank: number;
  scale: number;
}

export interface PlacedSegment extends Segment {
  /** First column of the result. */
  first: number;
  /** First column of u, first row of A. */
  low: number;
  /** First number of this segment's B [rows, rank] in the block. */
  up: number;
}

export function placed(segments: readonly Segment[]): PlacedSegment[] {
  let [first, low, up] = [0, 0, 0];
  return segments.map((segment) => {
    const own = { ...segment, first, low, up };
    first += segment.rows;
    low += segment.rank;
    up += segment.rows * segment.rank;
    return own;
  });
}

/** Columns of u. */
export function ranksOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { rank }) => sum + rank, 0);
}
