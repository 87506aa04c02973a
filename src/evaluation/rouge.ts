/**
 * ROUGE-1, ROUGE-2 and ROUGE-L as Google's rouge_score computes them, without stemming: F of shared n-grams, and of the longest
 * common subsequence of words. Everything outside a–z and 0–9 is dropped first, so a text in another script has no words at all
 * and scores 0 even against itself: ask `hasRougeWords` and offer chrF there.
 */

export type RougeKind = '1' | '2' | 'L';

export function rougeSignature(kind: RougeKind): string {
  return `rouge|type:${kind}|stem:no|refs:max|agg:mean-f|v:1`;
}

/** 0 to 1, best over references. */
export function rouge(answer: string, references: readonly string[], kind: RougeKind): number {
  const given = rougeWords(answer);
  return Math.max(0, ...references.map((reference) => f(given, rougeWords(reference), kind)));
}

export function hasRougeWords(text: string): boolean {
  return rougeWords(text).length > 0;
}

/** "It's 3.14" → it, s, 3, 14 */
export function rougeWords(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

function f(answer: string[], reference: string[], kind: RougeKind): number {
  if (kind === 'L') return harmonic(longestCommon(answer, reference), answer.length, reference.length);
  const [given, wanted] = [grams(answer, Number(kind)), grams(reference, Number(kind))];
  const left = new Map<string, number>();
  for (const gram of wanted) left.set(gram, (left.get(gram) ?? 0) + 1);
  let shared = 0;
  for (const gram of given) {
    const remaining = left.get(gram) ?? 0;
    if (remaining > 0) shared++;
    left.set(gram, remaining - 1);
  }
  return harmonic(shared, given.length, wanted.length);
}

/** F of `shared` among `given` and `wanted`. */
function harmonic(shared: number, given: number, wanted: number): number {
  return shared === 0 ? 0 : (2 * shared) / (given + wanted);
}

function grams(words: string[], order: number): string[] {
  return words.slice(order - 1).map((_, at) => words.slice(at, at + order).join(' '));
}

/** Length of the longest common subsequence; one row of the table at a time. */
function longestCommon(a: string[], b: string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    for (let j = 1; j <= b.length; j++)
      next[j] = word === b[j - 1] ? (row[j - 1] ?? 0) + 1 : Math.max(row[j] ?? 0, next[j - 1] ?? 0);
    row = next;
  }
  return row[b.length] ?? 0;
}
