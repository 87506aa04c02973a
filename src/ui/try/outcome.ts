/** Sorts scored rows into the four outcomes, regressions first: what got worse is what one must see. */
import type { ScoredRow } from '../../protocol/scores';

export type Outcome = 'broken' | 'wrong' | 'fixed' | 'right';
export const outcomes: { id: Outcome; name: string }[] = [
  { id: 'broken', name: 'Got worse' },
  { id: 'wrong', name: 'Wrong in both' },
  { id: 'fixed', name: 'Fixed' },
  { id: 'right', name: 'Right in both' },
];

export function outcomeOf(row: ScoredRow): Outcome {
  if (row.baseRight) return row.tunedRight ? 'right' : 'broken';
  return row.tunedRight ? 'fixed' : 'wrong';
}

export function sortRows(rows: readonly ScoredRow[]): { row: ScoredRow; outcome: Outcome }[] {
  const rank = (outcome: Outcome): number => outcomes.findIndex((one) => one.id === outcome);
  return rows
    .map((row) => ({ row, outcome: outcomeOf(row) }))
    .sort((a, b) => rank(a.outcome) - rank(b.outcome));
}
