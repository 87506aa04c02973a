/**
 * Two sets of answers to the same held-out rows become the figures of the page: shares with intervals, fixed and broken
 * rows, the test and its verdict. Pure; whoever calls it generated the answers.
 */
import type { Proportion, ScoredRow, Scores } from '../protocol/scores';
import { exactMatch, matchSignature, type MatchForm } from './metrics';
import { secondaryScores } from './secondary';
import { mcnemarExact, wilson } from './statistics';
import { verdict } from './verdict';

export interface AnsweredRow {
  prompt: string;
  question: string;
  reference: string;
  base: string;
  tuned: string;
}

/** Reasoning before an answer: not compared, since a right answer may be thought of otherwise. One that never ends is all there is. */
const REASONING = /^\s*<think>[\s\S]*?<\/think>\s*/;

/** How the answers came about: `seconds` is how long it took; the rest as in Scores. */
export type Answering = Pick<Scores, 'seconds' | 'left' | 'limit' | 'cut'>;

/** The default form forgives blanks at the ends and nothing else. */
export function scoreAnswers(
  rows: readonly AnsweredRow[],
  answering: Answering,
  form: MatchForm = 'trimmed',
): Scores {
  if (rows.length === 0) throw new Error('There is nothing to score: 0 held-out rows, 1 is needed.');
  const reasoned = rows.some(({ reference }) => REASONING.test(reference));
  const said = (text: string) => (reasoned ? text.replace(REASONING, '') : text);
  const compared = rows.map((row) => ({
    reference: said(row.reference),
    base: said(row.base),
    tuned: said(row.tuned),
  }));
  const scored = rows.map((row, index): ScoredRow => {
    const { base, tuned, reference } = compared[index] ?? row;
    return {
      ...row,
      baseRight: exactMatch(base, reference, form),
      tunedRight: exactMatch(tuned, reference, form),
    };
  });
  const baseRight = scored.filter((row) => row.baseRight).length;
  const tunedRight = scored.filter((row) => row.tunedRight).length;
  const fixed = scored.filter((row) => !row.baseRight && row.tunedRight).length;
  const broken = scored.filter((row) => row.baseRight && !row.tunedRight).length;
  const pValue = mcnemarExact(fixed, broken);
  return {
    metric: `${matchSignature(form)}${reasoned ? '|think:cut' : ''}`,
    base: proportion(baseRight, rows.length),
    tuned: proportion(tunedRight, rows.length),
    fixed,
    broken,
    pValue,
    verdict: verdict({ rows: rows.length, baseRight, tunedRight, fixed, broken, pValue }),
    others: secondaryScores(compared),
    rows: scored,
    ...answering,
  };
}

export function proportion(right: number, of: number): Proportion {
  return { right, of, share: right / of, ...wilson(right, of) };
}
