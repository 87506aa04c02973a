/**
 * The other figures of a comparison, for answers that are near but not equal: F1, ROUGE-L, chrF2. Means over rows with the paired
 * bootstrap interval of their difference. They never decide the verdict: exact match does, by its own test.
 */
import type { SecondaryScore } from '../protocol/scores';
import { CHRF_SIGNATURE, chrF2 } from './chrf';
import { F1_SIGNATURE, squadF1 } from './metrics';
import { hasRougeWords, rouge, rougeSignature } from './rouge';
import { pairedBootstrap } from './statistics';

const SEED = 1;

interface Answers {
  reference: string;
  base: string;
  tuned: string;
}

/** All values are shares from 0 to 1. ROUGE is left out where a reference has no word it could count. */
export function secondaryScores(rows: readonly Answers[]): SecondaryScore[] {
  const metrics = [
    {
      name: 'F1 of words',
      signature: F1_SIGNATURE,
      of: (answer: string, wanted: string) => squadF1(answer, wanted),
    },
    {
      name: 'chrF2',
      signature: CHRF_SIGNATURE,
      of: (answer: string, wanted: string) => chrF2(answer, [wanted]) / 100,
    },
  ];
  if (rows.every(({ reference }) => hasRougeWords(reference)))
    metrics.push({
      name: 'ROUGE-L',
      signature: rougeSignature('L'),
      of: (answer, wanted) => rouge(answer, [wanted], 'L'),
    });
  return metrics.map(({ name, signature, of }) => {
    const base = rows.map((row) => of(row.base, row.reference));
    const tuned = rows.map((row) => of(row.tuned, row.reference));
    const { mean, low, high } = pairedBootstrap(base, tuned, SEED);
    return { name, signature, base: average(base), tuned: average(tuned), difference: { mean, low, high } };
  });
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
