/**
 * chrF2 of one answer, as sacreBLEU computes it: character n-grams of length 1 to 6 without blanks, recall weighted four
 * times as much as precision. Suits short and inflected text and scripts without spaces. Not a corpus score.
 */
import { splitBlanks } from './normalise';

export const CHRF_SIGNATURE = 'chrf|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|v:1';

const ORDER = 6;
const BETA_SQUARED = 4;

/** 0 to 100, best over references. */
export function chrF2(answer: string, references: readonly string[]): number {
  const given = ngrams(answer);
  return Math.max(0, ...references.map((reference) => agreement(given, ngrams(reference))));
}

/** Counts of n-grams by length; characters are code points, so an emoji is one. */
function ngrams(text: string): Map<string, number>[] {
  const characters = [...splitBlanks(text).join('')];
  return Array.from({ length: ORDER }, (_, index) => {
    const counts = new Map<string, number>();
    for (let at = 0; at + index < characters.length; at++) {
      const gram = characters.slice(at, at + index + 1).join('');
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
    return counts;
  });
}

function agreement(answer: Map<string, number>[], reference: Map<string, number>[]): number {
  let precision = 0;
  let recall = 0;
  let orders = 0; // only lengths that both texts reach
  for (const [index, given] of answer.entries()) {
    const wanted = reference[index] ?? new Map<string, number>();
    if (given.size === 0 || wanted.size === 0) continue;
    let shared = 0;
    for (const [gram, count] of given) shared += Math.min(count, wanted.get(gram) ?? 0);
    precision += shared / total(given);
    recall += shared / total(wanted);
    orders += 1;
  }
  if (orders === 0 || precision + recall === 0) return 0;
  precision /= orders;
  recall /= orders;
  return (100 * (1 + BETA_SQUARED) * precision * recall) / (BETA_SQUARED * precision + recall);
}

function total(counts: Map<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
