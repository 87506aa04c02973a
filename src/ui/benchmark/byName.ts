/** Figures of one thing, which come one after the other, in one group under its name. */
import type { BenchmarkRow } from '../../protocol/benchmark';

export interface Group {
  what: string;
  rows: BenchmarkRow[];
}

export function byName(rows: readonly BenchmarkRow[]): Group[] {
  const groups: Group[] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last?.what === row.what) last.rows.push(row);
    else groups.push({ what: row.what, rows: [row] });
  }
  return groups;
}
