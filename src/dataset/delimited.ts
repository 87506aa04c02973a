/** CSV and TSV become rows. papaparse reads; header names, line numbers and ragged rows are looked after here. */
import Papa from 'papaparse';
import { DataProblem } from './problem';
import type { Container, RawRow, Row } from './record';

const DELIMITERS = [',', ';', '\t', '|'];
const NAMES: Record<string, string> = { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'bar' };
/** Names that would reach into an object's prototype. */
const UNSAFE = ['__proto__', 'constructor', 'prototype'];

interface TableRecord {
  line: number;
  text: string;
  cells: string[];
  unclosed: boolean;
}
interface NamedColumns {
  columns: string[];
  notes: string[];
}

export function readDelimited(text: string, name: string): Container {
  const delimiter = guessDelimiter(text, name);
  const records = readRecords(text, delimiter);
  const header = records[0];
  if (header === undefined) throw new DataProblem('The table has no rows.');
  if (header.unclosed)
    throw new DataProblem(
      `A quote opened in line ${header.line} is never closed. Close it and open the file again.`,
    );
  const { columns, notes } = nameColumns(header.cells);
  const rows = records.slice(1).map((record) => toRow(record, columns));
  const kind = delimiter === '\t' ? 'TSV' : 'CSV';
  return { label: `${kind}, separated by ${NAMES[delimiter] ?? delimiter}`, rows, notes, columns };
}

/** The delimiter that gives most columns in the first line and the same number in the next ones. */
export function guessDelimiter(text: string, name: string): string {
  const candidates = /\.tsv$/i.test(name) ? ['\t', ...DELIMITERS] : DELIMITERS;
  let best = candidates[0] ?? ',';
  let bestScore = 0;
  for (const delimiter of candidates) {
    const sample = Papa.parse<string[]>(text.slice(0, 200_000), {
      delimiter,
      preview: 20,
      skipEmptyLines: 'greedy',
    }).data;
    const width = sample[0]?.length ?? 0;
    if (width < 2) continue;
    const same = sample.filter((cells) => cells.length === width).length / sample.length;
    const score = same * 100 + Math.min(width, 20);
    if (score > bestScore) {
      best = delimiter;
      bestScore = score;
    }
  }
  return best;
}

function readRecords(text: string, delimiter: string): TableRecord[] {
  const records: TableRecord[] = [];
  let line = 1;
  let at = 0;
  const count = (from: number, to: number): number => {
    let newlines = 0;
    for (let i = text.indexOf('\n', from); i !== -1 && i < to; i = text.indexOf('\n', i + 1)) newlines++;
    return newlines;
  };
  Papa.parse<string[]>(text, {
    delimiter,
    step: ({ data, errors, meta }) => {
      const end = meta.cursor;
      const raw = text.slice(at, end);
      const blank = data.every((cell) => cell.trim() === '');
      const unclosed = errors.some((error) => error.code === 'MissingQuotes');
      if (!blank) records.push({ line, text: raw.trimEnd(), cells: data, unclosed });
      line += count(at, end);
      at = end;
    },
  });
  return records;
}

/** Header names made safe and different; every change is said. */
export function nameColumns(cells: string[]): NamedColumns {
  const columns: string[] = [];
  const notes: string[] = [];
  cells.forEach((cell, i) => {
    const given = cell.trim();
    let column = given;
    if (given === '') {
      column = `column ${i + 1}`;
      notes.push(`Column ${i + 1} has no name; it is shown as “${column}”.`);
    } else if (UNSAFE.includes(given)) {
      column = `column ${i + 1}`;
      notes.push(`The column name “${given}” is reserved; it is shown as “${column}”.`);
    }
    if (columns.includes(column)) {
      let copy = 2;
      while (columns.includes(`${column} (${copy})`)) copy++;
      notes.push(`Two columns are named “${column}”; the later one is shown as “${column} (${copy})”.`);
      column = `${column} (${copy})`;
    }
    columns.push(column);
  });
  return { columns, notes };
}

function toRow(record: TableRecord, columns: string[]): RawRow {
  const { line, text, cells } = record;
  if (record.unclosed) {
    const reason = `A quote opened in line ${line} is never closed, so the rest of the file was read as one cell.`;
    return { line, text, value: { ok: false, reason } };
  }
  if (cells.length !== columns.length) {
    const reason = `The row has ${cells.length} cells; the header names ${columns.length}.`;
    return { line, text, value: { ok: false, reason } };
  }
  const row: Row = Object.create(null) as Row;
  columns.forEach((column, i) => {
    row[column] = cells[i];
  });
  return { line, text, value: { ok: true, row } };
}
