/** Turns packed rows into what attention needs: positions, visible ranges, for any number of rows laid end to end. */
import type { PackedRows } from '../protocol/data';

export interface SightArrays {
  positions: Int32Array;
  /** [3, count]: first key, last key, last query that sees this key */
  ranges: Int32Array;
}

/** `rows` are indices into the packed rows; the result covers rows.length · packed.length tokens. */
export function sightOfRows(packed: PackedRows, rows: readonly number[], window: number | null): SightArrays {
  const { length } = packed;
  const starts = new Int32Array(rows.length * length);
  rows.forEach((row, index) => {
    for (let t = 0; t < length; t++)
      starts[index * length + t] = index * length + (packed.documentStart[row * length + t] ?? 0);
  });
  return sightOfStarts(starts, window);
}

/** `starts[i]` is the index of the first token of i's document; documents lie end to end. */
export function sightOfStarts(starts: Int32Array, window: number | null): SightArrays {
  const count = starts.length;
  const positions = new Int32Array(count);
  const ranges = new Int32Array(3 * count);
  let end = count - 1;
  for (let i = count - 1; i >= 0; i--) {
    const start = starts[i] ?? 0;
    if (i + 1 < count && starts[i + 1] !== start) end = i;
    positions[i] = i - start;
    ranges[i] = window === null ? start : Math.max(start, i - window + 1);
    ranges[count + i] = i;
    ranges[2 * count + i] = window === null ? end : Math.min(end, i + window - 1);
  }
  return { positions, ranges };
}
