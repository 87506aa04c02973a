/** One row as a container hands it on: a value with its line, or the reason why it is none. */

export type Row = Record<string, unknown>;

export interface RawRow {
  /** 1-based line on which the row begins. */
  line: number;
  /** The row's own text, for excerpts. */
  text: string;
  value: { ok: true; row: Row } | { ok: false; reason: string };
}

export interface Container {
  /** For people, e.g. "JSON Lines". */
  label: string;
  rows: RawRow[];
  notes: string[];
  /** Column names of a table in file order; null for JSON and text. */
  columns: string[] | null;
}

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own property or undefined: a row that lacks `constructor` must not inherit one. */
export function field(row: Row, key: string): unknown {
  return Object.hasOwn(row, key) ? row[key] : undefined;
}

export function stringField(row: Row, key: string): string | undefined {
  const value = field(row, key);
  return typeof value === 'string' ? value : undefined;
}

/** What a value is, in words for a message: "null", "a number", "a list". */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}
