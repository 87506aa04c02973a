/**
 * Cuts JSON text into its values before any of it is parsed: depth and length are bounded here, so that a hostile file
 * cannot overflow a stack later, and every value keeps the line on which it begins.
 */
export const MAX_DEPTH = 64;
export const MAX_ROW_CHARACTERS = 4 * 1024 * 1024;

export interface Slice {
  line: number;
  text: string;
}
export type ParsedValue = { ok: true; value: unknown } | { ok: false; reason: string };

/** Refused before parsing: too deep or too long. Null when the text may be parsed. */
export function whyTooMuch(text: string): string | null {
  if (text.length > MAX_ROW_CHARACTERS) {
    return `The row has ${text.length} characters; at most ${MAX_ROW_CHARACTERS} are read.`;
  }
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_DEPTH) return `The row is nested more than ${MAX_DEPTH} levels deep.`;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return null;
}

export function parseJson(text: string): ParsedValue {
  const refusal = whyTooMuch(text);
  if (refusal !== null) return { ok: false, reason: refusal };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, reason: explain(text, error) };
  }
}

function explain(text: string, error: unknown): string {
  const trimmed = text.trim();
  if (/^[{[]\s*'/.test(trimmed))
    return 'Not JSON: single quotes, as Python prints them. Write it with json.dumps.';
  if (/[:,[]\s*(NaN|-?Infinity)\b/.test(trimmed)) return 'Not JSON: NaN and Infinity have no place in it.';
  if (/[:,[]\s*(None|True|False)\b/.test(trimmed))
    return 'Not JSON: None, True and False are Python. Write it with json.dumps.';
  if (/,\s*[}\]]/.test(trimmed)) return 'Not JSON: a comma before the closing bracket.';
  if (/^\{/.test(trimmed) && !trimmed.endsWith('}'))
    return 'Not JSON: the row breaks off before its closing bracket.';
  return `Not JSON: ${error instanceof Error ? error.message : String(error)}`;
}

/**
 * Cuts `text` from `from` into top-level values separated by blanks or commas, up to an unmatched closing bracket or the end.
 * Used for the elements of an array and for objects that were written one after another.
 */
export function cutValues(text: string, from: number): { values: Slice[]; end: number; closed: boolean } {
  const values: Slice[] = [];
  let line = 1;
  for (let i = 0; i < from; i++) if (text.charCodeAt(i) === 0x0a) line++;
  let depth = 0;
  let start = -1;
  let startLine = line;
  let inString = false;
  const finish = (end: number): void => {
    if (start >= 0) values.push({ line: startLine, text: text.slice(start, end).trimEnd() });
    start = -1;
  };
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x0a) line++;
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
      continue;
    }
    const blank = code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
    if (depth === 0 && code === 0x2c) {
      finish(i);
      continue;
    }
    if (depth === 0 && (code === 0x5d || code === 0x7d)) {
      finish(i);
      return { values, end: i, closed: true };
    }
    if (start < 0 && !blank) {
      start = i;
      startLine = line;
    }
    if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) {
      depth--;
      if (depth === 0) finish(i + 1);
    }
  }
  finish(text.length);
  return { values, end: text.length, closed: false };
}
