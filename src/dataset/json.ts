/** JSON files become rows: an array, JSON Lines, objects written one after another, or one object that holds a list. */
import { cutValues, parseJson, type Slice } from './jsonText';
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

/** True when the first written line is a whole value, or so broken that only its own line can be blamed. */
function looksLikeLines(text: string): boolean {
  for (const { text: line } of linesOf(text)) {
    if (!/\S/.test(line)) continue;
    if (parseJson(line).ok) return true;
    const firstBracket = line.trim();
    // A pretty-printed object opens its bracket and goes on in the next line.
    return !/^\{\s*("[^"]*"\s*:.*)?$/.test(firstBracket) || firstBracket.endsWith('}');
  }
  return true;
}

function readObjects(text: string, first: number): Container {
  const { values } = cutValues(text, first);
  const only = values[0];
  if (values.length === 1 && only !== undefined) {
    const list = listInside(only);
    if (list !== null) return list;
  }
  const notes =
    values.length > 1
      ? ['Objects stand one after another without being lines or an array; they were read one by one.']
      : [];
  return { label: 'JSON objects', rows: values.map(toRow), notes, columns: null };
}

/** `{"data": [row, …]}`: the rows are inside. */
function listInside(slice: Slice): Container | null {
  const parsed = parseJson(slice.text);
  if (!parsed.ok)
    throw new DataProblem(`The file holds one JSON object that cannot be read. ${parsed.reason}`);
  if (!isRow(parsed.value)) return null;
  const entries = Object.entries(parsed.value).filter(
    ([key, value]) => LIST_KEYS.includes(key) && Array.isArray(value) && value.every(isRow),
  );
  const [entry] = entries;
  if (entry === undefined || entries.length !== 1) return null;
  const at = slice.text.indexOf('[', slice.text.indexOf(`"${entry[0]}"`));
  const lineShift = slice.line - 1;
  const inner = cutValues(slice.text, at + 1).values;
  const rows = inner.map(({ line, text }) => toRow({ line: line + lineShift, text }));
  return { label: 'JSON object', rows, notes: [`The rows were found under “${entry[0]}”.`], columns: null };
}

function toRow({ line, text }: Slice): RawRow {
  const parsed = parseJson(text);
  if (!parsed.ok) return { line, text, value: { ok: false, reason: parsed.reason } };
  if (!isRow(parsed.value)) {
    return { line, text, value: { ok: false, reason: `The row is ${kindOf(parsed.value)}, not an object.` } };
  }
  return { line, text, value: { ok: true, row: parsed.value } };
}
