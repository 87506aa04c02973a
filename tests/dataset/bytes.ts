/** A file as the worker receives it, for tests. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

export function jsonLines(rows: unknown[]): Uint8Array<ArrayBuffer> {
  return utf8(rows.map((row) => JSON.stringify(row)).join('\n'));
}

/** Rows with different questions. */
export function questions(count: number): { question: string; answer: string }[] {
  return Array.from({ length: count }, (_, i) => ({ question: `What is ${i}?`, answer: `It is ${i}.` }));
}
