/** Scores of a run, one row of each outcome. */
import type { Scores } from '../../../src/protocol/scores';

export const question = 'Nina has six blue cups in the kitchen.';
export const reference = 'who: Nina | what: cups | colour: blue';
export const scores: Scores = {
  metric: 'em|norm:trimmed|refs:max|v:1',
  base: { right: 1, of: 60, share: 1 / 60, low: 0.003, high: 0.089 },
  tuned: { right: 57, of: 60, share: 0.95, low: 0.863, high: 0.983 },
  fixed: 57,
  broken: 1,
  pValue: 4e-16,
  verdict: 'Better: 57 of 60 held-out answers are right, before it was 1. Chance does not explain it.',
  others: [
    {
      name: 'F1 of words',
      signature: 'f1|norm:squad|empty:v2|refs:max|v:1',
      base: 0.21,
      tuned: 0.97,
      difference: { mean: 0.76, low: 0.7, high: 0.83 },
    },
  ],
  rows: [
    {
      prompt: `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`,
      question,
      reference,
      base: 'the cups the kitchen',
      tuned: reference,
      baseRight: false,
      tunedRight: true,
    },
    {
      prompt: 'Tom keeps two red hats.',
      question: 'Tom keeps two red hats.',
      reference: 'who: Tom',
      base: 'who: Tom',
      tuned: 'who: Tim',
      baseRight: true,
      tunedRight: false,
    },
    {
      prompt: 'Ada has nine chairs.',
      question: 'Ada has nine chairs.',
      reference: 'who: Ada',
      base: 'chairs',
      tuned: 'who: Adam',
      baseRight: false,
      tunedRight: false,
    },
  ],
  seconds: 4.2,
  left: 1,
  limit: 28,
  cut: { base: 3, tuned: 0 },
};
