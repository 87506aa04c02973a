/** A dropped file becomes checked examples and a report: what it is, what was kept, and every row that was not, with its line. */
import type { ChosenColumns, DatasetReport, RejectedRow } from '../protocol/datasetApi';
import { whyTextFails } from './checkText';
import { readContainer } from './container';
import { decodeBytes } from './decode';
import { sha256 } from './digest';
import { asMessages, type Example } from './example';
import { recogniseShape } from './recognise';
import type { RawRow } from './record';
import type { Shape } from './shapes/shape';
import { partOf, usesSplitColumn } from './splitColumn';
import type { TurnNote } from './turns';

export interface OpenedDataset {
  name: string;
  /** sha256 of the file's bytes, hex. */
  hash: string;
  examples: Example[];
  report: DatasetReport;
}

const PREVIEW = 5;
const EXCERPT = 200;

export async function openDataset(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  chosen?: ChosenColumns,
): Promise<OpenedDataset> {
  const decoded = decodeBytes(bytes);
  const container = readContainer(decoded.text, name);
  const shape = recogniseShape(container, chosen);
  const notes = new Map<TurnNote, number>();
  const rejected: RejectedRow[] = [];
  const examples: Example[] = [];
  const splitColumn = usesSplitColumn(container.rows);
  for (const raw of container.rows) {
    const read = readRow(raw, shape);
    if (!read.ok) {
      rejected.push({ line: raw.line, reason: read.reason, excerpt: raw.text.slice(0, EXCERPT) });
      continue;
    }
    for (const note of read.notes ?? []) notes.set(note, (notes.get(note) ?? 0) + 1);
    examples.push({ line: raw.line, lesson: read.value, part: splitColumn ? partOf(raw) : null });
  }
  const rows = container.rows.length;
  const warnings = [
    ...brokenShare(rejected.length, rows),
    ...(decoded.note === null ? [] : [decoded.note]),
    ...container.notes,
    ...(shape.note === undefined ? [] : [shape.note]),
    ...turnWarnings(notes),
    ...smallness(examples.length),
    ...completionNote(examples),
  ];
  const report: DatasetReport = {
    name,
    bytes: bytes.byteLength,
    shape: shape.name,
    container: container.label,
    rows,
    kept: examples.length,
    rejected,
    warnings,
    preview: examples.slice(0, PREVIEW).map((example) => asMessages(example.lesson)),
    plain: examples[0]?.lesson.kind === 'text',
  };
  return { name, hash: await sha256(bytes), examples, report };
}

function readRow(raw: RawRow, shape: Shape): ReturnType<Shape['read']> {
  if (!raw.value.ok) return raw.value;
  if (!shape.matches(raw.value.row)) {
    return { ok: false, reason: `The row does not have the shape of the others (${shape.name}).` };
  }
  const read = shape.read(raw.value.row);
  if (!read.ok) return read;
  const reason = whyTextFails(read.value);
  return reason === null ? read : { ok: false, reason };
}

function brokenShare(rejected: number, rows: number): string[] {
  if (rejected === 0) return [];
  if (rejected === rows)
    return ['No row can be used: look at the reasons below, mend the file and open it again.'];
  const share = (100 * rejected) / rows;
  if (share <= 5) return [];
  return [
    `${rejected} of ${rows} rows (${share.toFixed(0)} %) cannot be used. Look at the reasons before you train on the rest.`,
  ];
}

function turnWarnings(notes: Map<TurnNote, number>): string[] {
  const merged = notes.get('merged') ?? 0;
  const open = notes.get('ends-with-user') ?? 0;
  const warnings: string[] = [];
  if (merged > 0)
    warnings.push(`In ${merged} rows neighbouring turns of one role were joined by a blank line.`);
  if (open > 0)
    warnings.push(
      `${open} conversations end without an answer; what follows their last answer was left out.`,
    );
  const speechless = notes.get('no-user') ?? 0;
  if (speechless > 0)
    warnings.push(`${speechless} conversations have no user turn; the answer follows the system text.`);
  return warnings;
}

function smallness(kept: number): string[] {
  if (kept === 0 || kept >= 100) return [];
  return [
    `The file has ${kept} usable ${kept === 1 ? 'row' : 'rows'}. 100 are a start and 1,000 are better.`,
  ];
}

function completionNote(examples: Example[]): string[] {
  if (examples[0]?.lesson.kind !== 'completion') return [];
  return [
    'Prompts and completions are learned as they stand, without the model’s chat template. To train a chat, name the columns “question” and “answer” or use messages.',
  ];
}
