/** The tile of a product in registers (registers.ts): how large it is, and what its three forms share. */
import { range, rightOf, sideBySide, type ProductShape } from '../operands';
import type { Cell } from './left';

export interface Registers {
  design: 'registers';
  rows: number;
  cols: number;
  /** Subgroup size to broadcast within, 0 for none. */
  broadcast: number;
  /**
   * Steps of the contraction that one dispatch of nt or nn goes through, a multiple of 4; all of them where absent. The next one
   * adds to what is there. What a group reads of w is then small enough to lie in a processor's cache when the next rows want it.
   */
  depth?: number;
  /**
   * nt: the vectors of a word, or the loads of a block, are a loop and not written out. Mesa unrolls it, and takes less time than for the
   * same text written out (512 × 896 × 4864 in q4, 16 × 6: 62 against 74 ms); one that it cannot unroll is slower than both (84 ms).
   */
  rolled?: boolean;
  /**
   * nn without a low-rank part: a lane's columns are single numbers and no vectors, where vectors would leave lanes without columns. dy is
   * read in vectors all the same.
   */
  narrow?: boolean;
  /** tn: rows of p and q at a time, 1 where absent; a sum is fetched and put away once for both. */
  steps?: 2;
  /** nt with `broadcast`: what the group reads of w is touched first (touch.ts). */
  touch?: boolean;
  /** nt with `broadcast`: a step goes through a whole block of a packed weight (blocks.ts). */
  blocks?: boolean;
}

export type Tile = ProductShape & Registers;

/** Workgroup width: lanes lie along the columns of the result. */
export function lanesOf(tile: Registers): number {
  return tile.broadcast || 64;
}

/** Columns, in nt side by side, that one workgroup covers. In nn and tn a lane owns whole words of columns. */
export function columnsPerGroup(tile: Tile): number {
  const own = tile.form === 'nt' ? 1 : tile.form === 'nn' ? rightOf(tile).width : tile.vector;
  return lanesOf(tile) * sideBySide(tile, tile.cols) * own;
}

/** Sums of the tile and their names. */
export const cells = (tile: Tile, parts = 1): Cell[] =>
  range(tile.rows).flatMap((i) =>
    range(tile.cols).flatMap((j) =>
      range(parts).map((v) => ({ i, j, v, name: parts === 1 ? `c_${i}_${j}` : `c_${i}_${j}_${v}` })),
    ),
  );
