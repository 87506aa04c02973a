/**
 * JSON from strangers: bounded depth, no key twice, no `__proto__`. The syntax itself is left to JSON.parse.
 * Not a schema: what the values mean is for the caller to check.
 */
export interface JsonLimits {
  maxDepth: number;
}

/** Parses `text` or throws a SyntaxError that says what is wrong and at which character. */
export function parseStrictJson(text: string, { maxDepth }: JsonLimits): unknown {
  scan(text, maxDepth);
  return JSON.parse(text);
}

/** One pass before parsing: a deep document never reaches the recursive parser, a repeated key is never lost. */
function scan(text: string, maxDepth: number): void {
  const keysOfLevel: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{' || char === '[') {
      keysOfLevel.push(new Set());
      if (keysOfLevel.length > maxDepth) {
        throw new SyntaxError(`nested deeper than ${maxDepth} levels at character ${at}`);
      }
    } else if (char === '}' || char === ']') {
      keysOfLevel.pop();
    } else if (char === '"') {
      const end = endOfString(text, at);
      if (isKey(text, end)) addKey(keysOfLevel.at(-1), text.slice(at, end), at);
      at = end - 1;
    }
  }
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  throw new SyntaxError(`a string that starts at character ${start} does not end`);
}

function isKey(text: string, after: number): boolean {
  let at = after;
  while (at < text.length && ' \t\r\n'.includes(text[at] ?? '')) at++;
  return text[at] === ':';
}

function addKey(keys: Set<string> | undefined, literal: string, at: number): void {
  const key = String(JSON.parse(literal));
  if (key === '__proto__') throw new SyntaxError(`the key "__proto__" at character ${at} is not allowed`);
  if (keys?.has(key))
    throw new SyntaxError(`the key ${JSON.stringify(key)} occurs twice, again at character ${at}`);
  keys?.add(key);
}
