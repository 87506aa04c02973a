/**
 * How a product in registers (registers.ts) reads the rows of its left operand, and hands them to the sums. With `broadcast` the lanes of
 * a subgroup read a row each and pass it round.
 */
import { range } from '../operands';

interface LeftTile {
  rows: number;
  /** Lanes of the subgroup, 0 for none. */
  broadcast: number;
}

/** A sum of the tile: its row, its column, its vector in a word, its name. */
export interface Cell {
  i: number;
  j: number;
  v: number;
  name: string;
}

/** Loads that bring the rows of the left operand: one a row, or with `broadcast` one for as many of them as there are lanes. */
export const leftLoads = ({ rows, broadcast }: LeftTile) =>
  range(broadcast ? Math.ceil(rows / broadcast) : rows);

/** Which row each load reads: `row_0` … Rows past `limit` read the last one; their results are never written. */
export function leftRows(tile: LeftTile, limit: string): string[] {
  const { rows, broadcast } = tile;
  const lane = broadcast ? ` + lane % ${Math.min(rows, broadcast)}u` : '';
  return leftLoads(tile).map(
    (load) => `let row_${load} = min(row0 + ${load * (broadcast || 1)}u${lane}, ${limit} - 1u);`,
  );
}

/** Reads `at(load)` of the left operand in each load. */
export const readLeft = (tile: LeftTile, at: (load: number) => string) =>
  leftLoads(tile).map((load) => `let own_${load} = ${at(load)};`);

/** For each row its number a_i out of what was read, and right after it the sums that it is added to: few numbers are held at a time. */
export function addRows(tile: LeftTile, all: Cell[], sum: (cell: Cell) => string): string[] {
  const { rows, broadcast } = tile;
  return range(rows).flatMap((i) => {
    const from = broadcast
      ? `subgroupBroadcast(own_${Math.floor(i / broadcast)}, ${i % broadcast}u)`
      : `own_${i}`;
    return [`let a_${i} = ${from};`, ...all.filter((cell) => cell.i === i).map(sum)];
  });
}
