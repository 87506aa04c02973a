/**
 * Writes counted loops of a shader out: drivers keep an array in registers only where its indices are constants, and unroll
 * badly by themselves. Text in, text out; knows nothing of kernels.
 */

const HEAD = /for \(var (\w+) = 0u; \1 < (\w+); \1\+\+\) \{/;

/** Every `for (var i = 0u; i < NAME; i++) { … }` whose NAME is in `counts` becomes that many blocks with `i` a literal. */
export function unroll(code: string, counts: Record<string, number>): string {
  let done = '';
  let rest = code;
  for (let found = HEAD.exec(rest); found; found = HEAD.exec(rest)) {
    const [head, variable = '', name = ''] = found;
    const count = counts[name];
    const start = found.index + head.length;
    if (count === undefined) {
      done += rest.slice(0, start);
      rest = rest.slice(start);
      continue;
    }
    const end = closingBrace(rest, start);
    const body = rest.slice(start, end);
    const whole = new RegExp(`\\b${variable}\\b`, 'g');
    const copies = Array.from({ length: count }, (_, index) => `{${body.replace(whole, `${index}u`)}}`);
    done += rest.slice(0, found.index);
    // inner loops are found in the copies
    rest = copies.join('\n') + rest.slice(end + 1);
  }
  return done + rest;
}

/** Index of the brace that closes the one before `from`. */
function closingBrace(code: string, from: number): number {
  let depth = 1;
  for (let at = from; at < code.length; at++) {
    if (code[at] === '{') depth++;
    if (code[at] === '}' && --depth === 0) return at;
  }
  throw new Error('A loop in a shader is not closed.');
}
