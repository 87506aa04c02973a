/**
 * BLEU as sacreBLEU 2.6.0 computes it: tokenizer 13a, exponential smoothing. Over a corpus the counts of all rows are added up
 * first; of one row only with effective order, since most short rows share no four words. Other tokenizers are not here.
 */
import { splitBlanks } from './normalise';

export const BLEU_SIGNATURE = 'bleu|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|v:1';
export const SENTENCE_BLEU_SIGNATURE = 'bleu|nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|v:1';

const ORDER = 4;

interface Counts {
  /** Of n-grams of length 1 to 4 */
  shared: number[];
  total: number[];
  answerLength: number;
  referenceLength: number;
}

export interface BleuRow {
  answer: string;
  references: readonly string[];
}

/** 0 to 100 over all rows together. */
export function corpusBleu(rows: readonly BleuRow[]): number {
  return score(sum(rows.map(count)), false);
}

/** 0 to 100 for one row, with effective order: only lengths that the answer reaches. */
export function sentenceBleu(answer: string, references: readonly string[]): number {
  return score(count({ answer, references }), true);
}

/** The mteval-v13a tokenizer: punctuation stands alone except inside numbers. */
export function tokenize13a(text: string): string[] {
  const plain = text
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
  const spaced = ` ${plain} `
    .replace(/([{-~[-` -&(-+:-@/])/gu, ' $1 ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/gu, '$1 $2 ');
  return splitBlanks(spaced);
}

function count({ answer, references }: BleuRow): Counts {
  const given = tokenize13a(answer.trimEnd());
  const wanted = references.map((reference) => tokenize13a(reference.trimEnd()));
  const orders = Array.from({ length: ORDER }, (_, index) => index + 1);
  const shared = orders.map((order) => {
    const most = new Map<string, number>();
    for (const reference of wanted)
      for (const [gram, times] of grams(reference, order))
        most.set(gram, Math.max(times, most.get(gram) ?? 0));
    let hits = 0;
    for (const [gram, times] of grams(given, order)) hits += Math.min(times, most.get(gram) ?? 0);
    return hits;
  });
  return {
    shared,
    total: orders.map((order) => Math.max(0, given.length - order + 1)),
    answerLength: given.length,
    referenceLength: closest(
      given.length,
      wanted.map(({ length }) => length),
    ),
  };
}

function grams(words: string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + order <= words.length; at++) {
    const gram = words.slice(at, at + order).join(' ');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** The reference length nearest to the answer's; of two, the shorter. */
function closest(length: number, references: number[]): number {
  const sorted = references.toSorted((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b);
  return sorted[0] ?? 0;
}

function sum(rows: Counts[]): Counts {
  const add = (a: number[], b: number[]) => a.map((value, index) => value + (b[index] ?? 0));
  const none = new Array<number>(ORDER).fill(0);
  return rows.reduce(
    (all, row) => ({
      shared: add(all.shared, row.shared),
      total: add(all.total, row.total),
      answerLength: all.answerLength + row.answerLength,
      referenceLength: all.referenceLength + row.referenceLength,
    }),
    { shared: none, total: none, answerLength: 0, referenceLength: 0 },
  );
}

/** The geometric mean of the precisions times the penalty for short answers; a precision of 0 is halved again each time. */
function score({ shared, total, answerLength, referenceLength }: Counts, effective: boolean): number {
  if (shared.every((hits) => hits === 0)) return 0;
  const reached = total.findIndex((all) => all === 0);
  const orders = effective && reached !== -1 ? reached : ORDER;
  let smooth = 1;
  let logs = 0;
  for (let index = 0; index < orders; index++) {
    const all = total[index] ?? 0;
    if (all === 0) return 0;
    const hits = shared[index] ?? 0;
    if (hits === 0) smooth *= 2;
    logs += Math.log(hits === 0 ? 100 / (smooth * all) : (100 * hits) / all);
  }
  const penalty = answerLength < referenceLength ? Math.exp(1 - referenceLength / answerLength) : 1;
  return penalty * Math.exp(logs / orders);
}
