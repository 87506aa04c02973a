/** The lines of a text, one at a time, with their 1-based numbers. Ends at \n or \r\n; the end is not part of the line. */
export function* linesOf(text: string): Generator<{ line: number; text: string }> {
  let start = 0;
  let line = 1;
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const bare = end > start && text.charCodeAt(end - 1) === 0x0d ? end - 1 : end;
    yield { line, text: text.slice(start, bare) };
    line++;
    start = end + 1;
  }
}
