/** A column named `split` that says where each row belongs. It counts only when every row of the file uses it. */
import type { Part } from './example';
import { stringField, type RawRow } from './record';

const PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ['train', 'train'],
  ['training', 'train'],
  ['validation', 'validation'],
  ['valid', 'validation'],
  ['val', 'validation'],
  ['dev', 'validation'],
  ['evaluation', 'validation'],
  ['eval', 'validation'],
  ['test', 'test'],
]);

export function partOf(raw: RawRow): Part | null {
  if (!raw.value.ok) return null;
  return PARTS.get(stringField(raw.value.row, 'split')?.trim().toLowerCase() ?? '') ?? null;
}

export function usesSplitColumn(rows: RawRow[]): boolean {
  const readable = rows.filter((raw) => raw.value.ok);
  return readable.length > 0 && readable.every((raw) => partOf(raw) !== null);
}
