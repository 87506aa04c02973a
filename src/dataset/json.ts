/** JSON files become rows: an array, JSON Lines, objects written one after another, or one object that holds a list. */
import { cutValues, parseJson, type ParsedValue, type Slice } from './jsonText';
import { linesOf } from './lines';
import { DataProblem } from './problem';
import { isRow, kindOf, type Container, type RawRow } from './record';

/** Names under which a single object may hold its rows. */
const LIST_KEYS = ['data', 'rows', 'examples', 'train', 'items'];

export function readJson(text: string, name: string): Container {
  const first = text.search(/\S/);
  if (text[first] === '[') return readArray(text, first, name);
  if (looksLikeLines(text)) return readLines(text);
  return readObjects(text, first);
}

function readArray(text: string, first: number, name: string): Container {
  const { values, end, closed } = cutValues(text, first + 1);
  const notes: string[] = [];
  if (/\.(jsonl|ndjson)$/i.test(name))
    notes.push('The file is named as JSON Lines but holds a JSON array; it was read as an array.');
  if (!closed) notes.push('The array is never closed: the file may have been cut off.');
  else if (/\S/.test(text.slice(end + 1)))
    notes.push('There is text after the end of the array; it was left out.');
  return { label: 'JSON array', rows: values.map(toRow), notes, columns: null };
}

function readLines(text: string): Container {
  const rows: RawRow[] = [];
  for (const slice of linesOf(text)) if (/\S/.test(slice.text)) rows.push(toRow(slice));
  return { label: 'JSON Lines', rows, notes: [], columns: null };
}

/** True when one of the first lines is a whole object, or when the first is so broken that only it can be blamed. */
function looksLikeLines(text: string): boolean {
  const sample: string[] = [];
  for (const { text: line } of linesOf(text)) {
    if (/\S/.test(line)) sample.push(line);
    if (sample.length === 20) break;
  }
  const [first = ''] = sample;
  // A single line may hold a list, or objects one after another.
  if (sample.length === 1)
    return cutValues(first, 0).values.length === 1 && listKeyIn(parseJson(first)) === null;
  // Lines inside a pretty-printed object are indented.
  if (sample.some((line) => line.startsWith('{') && parseJson(line).ok)) return true;
  return first.trimEnd().endsWith('}') && cutValues(first, 0).values.length === 1;
}

function readObjects(text: string, first: number): Container {
  const { values } = cutValues(text, first);
  const only = values[0];
  if (values.length === 1 && only !== undefined) {
    if (!parseJson(only.text).ok && beginLikeRows(text)) return readLines(text);
    const list = listInside(only);
    if (list !== null) return list;
  }
  const notes =
    values.length > 1
      ? ['Objects stand one after another without being lines or an array; they were read one by one.']
      : [];
  return { label: 'JSON objects', rows: values.map(toRow), notes, columns: null };
}

/** True where most lines begin an object: so many broken rows look like one object that never ends. */
function beginLikeRows(text: string): boolean {
  const lines = [...linesOf(text)].filter((line) => /\S/.test(line.text));
  const begun = lines.filter((line) => line.text.startsWith('{')).length;
  return begun > 1 && begun > lines.length / 2;
}

/** `{"data": [row, …]}`: the rows are inside. */
function listInside(slice: Slice): Container | null {
  const parsed = parseJson(slice.text);
  if (!parsed.ok)
    throw new DataProblem(`The file holds one JSON object that cannot be read. ${parsed.reason}`);
  const key = listKeyIn(parsed);
  if (key === null) return null;
  const at = slice.text.indexOf('[', slice.text.indexOf(`"${key}"`));
  const rows = cutValues(slice.text, at + 1).values.map(({ line, text }) =>
    toRow({ line: line + slice.line - 1, text }),
  );
  return { label: 'JSON object', rows, notes: [`The rows were found under “${key}”.`], columns: null };
}

function listKeyIn(parsed: ParsedValue): string | null {
  if (!parsed.ok || !isRow(parsed.value)) return null;
  const keys = Object.entries(parsed.value).flatMap(([key, value]) =>
    LIST_KEYS.includes(key) && Array.isArray(value) && value.length > 0 && value.every(isRow) ? [key] : [],
  );
  return keys.length === 1 ? (keys[0] ?? null) : null;
}

function toRow({ line, text }: Slice): RawRow {
  const parsed = parseJson(text);
  if (!parsed.ok) return { line, text, value: { ok: false, reason: parsed.reason } };
  if (!isRow(parsed.value)) {
    return { line, text, value: { ok: false, reason: `The row is ${kindOf(parsed.value)}, not an object.` } };
  }
  return { line, text, value: { ok: true, row: parsed.value } };
}
