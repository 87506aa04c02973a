/** Finds the one shape that at least 95 % of the first thousand rows have. A guess that is shown, with those that disagree. */
import { DataProblem, UnknownColumns } from './problem';
import type { ChosenColumns } from '../protocol/datasetApi';
import type { TableColumn } from '../protocol/events';
import { stringField, type Container, type Row } from './record';
import { messagesShape, shareGptShape, ultraChatShape } from './shapes/messages';
import { alpacaShape, inputOutputShape, promptCompletionShape, textShape } from './shapes/pairs';
import { refusedShapes } from './shapes/preference';
import type { Shape } from './shapes/shape';
import { isLabelledText, isName, mapColumns, tableShape } from './shapes/table';

const SAMPLE = 1000;
const SHARE = 0.95;

/** In this order: a row may have the keys of several. */
const SHAPES = [
  messagesShape,
  shareGptShape,
  ultraChatShape,
  alpacaShape,
  promptCompletionShape,
  inputOutputShape,
];

/** `chosen`: a person has said which columns ask and answer; then nothing is guessed. */
export function recogniseShape(container: Container, chosen?: ChosenColumns): Shape {
  const rows = container.rows.slice(0, SAMPLE).flatMap((raw) => (raw.value.ok ? [raw.value.row] : []));
  if (rows.length === 0) throw new DataProblem(whyNothingReads(container));
  const count = (matches: (row: Row) => boolean): number => rows.filter(matches).length;
  const common = (matches: (row: Row) => boolean): boolean => isCommon(count(matches), rows.length);
  const columns = container.columns ?? commonKeys(rows);
  if (chosen) return shapeOfChosen(chosen, columns, rows);
  for (const refused of refusedShapes) {
    if (common((row) => refused.matches(row))) {
      throw new DataProblem(`This is a dataset of the shape “${refused.name}”. ${refused.why}`);
    }
  }
  for (const shape of SHAPES) if (common((row) => shape.matches(row))) return shape;
  if (!isLabelledText(columns) && common((row) => textShape.matches(row))) return textShape;
  const mapped = mapColumns(columns, container.columns !== null);
  if (!mapped.ok) {
    const mixture = mixtureOf(rows);
    if (mixture !== null) throw new DataProblem(mixture);
    // where they are no names the file begins with a row, which would be lost
    if (columns.filter(isName).length < 2) throw new DataProblem(mapped.reason);
    throw new UnknownColumns(mapped.reason, withExamples(columns, rows));
  }
  const shape = tableShape(mapped.mapping);
  if (common((row) => shape.matches(row))) return shape;
  const having = count((row) => shape.matches(row));
  const named = `“${mapped.mapping.user}” and “${mapped.mapping.assistant}”`;
  throw new DataProblem(
    mixtureOf(rows) ?? `Only ${having} of ${rows.length} rows have ${named}. Give all rows the same keys.`,
  );
}

/** What cannot be read so may be chosen again. */
function shapeOfChosen({ question, answer }: ChosenColumns, columns: string[], rows: Row[]): Shape {
  const refuse = (reason: string) => new UnknownColumns(reason, withExamples(columns, rows));
  if (question === answer)
    throw refuse(`The column “${question}” cannot be question and answer. Choose two columns.`);
  const mapping = { user: question, assistant: answer, system: null, guessed: false };
  const shape = tableShape(mapping);
  const having = rows.filter((row) => shape.matches(row)).length;
  if (isCommon(having, rows.length)) return shape;
  throw refuse(
    `Only ${having} of ${rows.length} rows have “${question}” and “${answer}”. Choose columns that all rows have.`,
  );
}

const EXAMPLE = 40;

function withExamples(columns: string[], rows: Row[]): TableColumn[] {
  return columns.map((name) => {
    const texts = rows.map((row) => (stringField(row, name) ?? '').trim());
    const example = texts.find((text) => text !== '') ?? '';
    return { name, example: example.replace(/\s+/g, ' ').slice(0, EXAMPLE) };
  });
}

/** 95 %; in a small file one row may disagree. */
function isCommon(matching: number, rows: number): boolean {
  return matching / rows >= SHARE || (rows >= 4 && rows - matching === 1);
}

/** Says which shapes are mixed, when no one of them is common enough. */
function mixtureOf(rows: Row[]): string | null {
  const counts = new Map<string, number>();
  for (const row of rows) {
    const shape = [...refusedShapes, ...SHAPES, textShape].find((candidate) => candidate.matches(row));
    if (shape !== undefined) counts.set(shape.name, (counts.get(shape.name) ?? 0) + 1);
  }
  if (counts.size < 2) return null;
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name}: ${count}`);
  return `The file mixes shapes (of ${rows.length} rows, ${parts.join('; ')}). Put each shape into a file of its own.`;
}

/** Keys that more than half of the rows have, in the order of the first row. */
function commonKeys(rows: Row[]): string[] {
  const counts = new Map<string, number>();
  for (const row of rows) for (const key of Object.keys(row)) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > rows.length / 2).map(([key]) => key);
}

function whyNothingReads(container: Container): string {
  const first = container.rows[0];
  if (first === undefined) return 'The file has no rows. Choose a file with at least two rows.';
  const reason = first.value.ok ? '' : first.value.reason;
  const rows = container.rows.length;
  const none =
    container.label === 'JSON Lines'
      ? `None of the ${rows} lines of this JSON Lines file could be read.`
      : `None of the ${rows} rows could be read.`;
  return `${rows === 1 ? 'The only row could not be read.' : none} Line ${first.line}: ${reason}`;
}
