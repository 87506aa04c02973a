/** What is asked of the held-out rows, worked out by hand. */
import { describe, expect, it } from 'vitest';
import { answerable, distinct, inBatches, type Asked } from '../../src/evaluation/questions';
import { scoreAnswers } from '../../src/evaluation/score';
import { LONGEST_ANSWER, type EvalRow } from '../../src/protocol/data';

const row = (promptIds: number[], reference: string): EvalRow => ({
  promptIds: Int32Array.from(promptIds),
  promptText: promptIds.join(),
  question: promptIds.join(),
  reference,
});

describe('a prompt that stands in several rows', () => {
  it('is one question, whatever the rows answer', () => {
    const { rows, repeated } = distinct([
      row([1, 2], 'a'),
      row([12], 'b'),
      row([1, 2], 'c'),
      row([1, 2], 'a'),
    ]);
    expect(rows.map(({ reference }) => reference)).toEqual(['a', 'b']);
    expect(repeated).toBe(2);
  });

  it('gives no certainty that its one answer does not give', () => {
    const held = Array.from({ length: 30 }, (_, i) => row([i % 3], 'yes'));
    const asked = distinct(held).rows.map(({ promptText: prompt, question, reference }) => {
      return { prompt, question, reference, base: 'no', tuned: 'yes' };
    });
    const { pValue } = scoreAnswers(asked, { seconds: 1, left: 0, limit: 20, cut: { base: 0, tuned: 0 } });
    // three of three: 2 · (1/2)³, where thirty of thirty would be 2 · (1/2)³⁰
    expect(pValue).toBeCloseTo(0.25, 12);
  });
});

describe('how long an answer may be', () => {
  const tokensOf = (answer: string) => answer.length;
  const wanted = (tokens: number) => row([1, 2, 3], 'x'.repeat(tokens));

  it('is what the wanted one takes and half as much again, and some', () => {
    const { rows, left } = answerable([wanted(1), wanted(99)], tokensOf, 4096);
    // with its end 2 and 100 tokens: 3 + 16 and 150 + 16
    expect(rows.map(({ limit }) => limit)).toEqual([19, 166]);
    expect(left).toBe(0);
  });

  it('is bounded, and rows that need more are left out and counted', () => {
    const { rows, left } = answerable([wanted(LONGEST_ANSWER - 1), wanted(LONGEST_ANSWER)], tokensOf, 4096);
    expect(rows.map(({ limit }) => limit)).toEqual([LONGEST_ANSWER]);
    expect(left).toBe(1);
  });

  it('fits into the context behind its prompt, or the row is left out', () => {
    // 3 tokens of 20 are the prompt: 17 are left
    const { rows, left } = answerable([wanted(16), wanted(17)], tokensOf, 20);
    expect(rows.map(({ limit }) => limit)).toEqual([17]);
    expect(left).toBe(1);
  });
});

describe('rows that are asked together', () => {
  const asked = (prompt: number, limit: number): Asked => ({
    ...row(new Array<number>(prompt).fill(1), ''),
    limit,
  });

  it('are as many as may be, in their order', () => {
    const rows = Array.from({ length: 5 }, (_, i) => asked(1 + i, 4));
    expect(inBatches(rows, 2, 100)).toEqual([rows.slice(0, 2), rows.slice(2, 4), rows.slice(4)]);
    expect(inBatches([], 2, 100)).toEqual([]);
  });

  it('share the room of the longest prompt and the longest answer', () => {
    // each fits into 100 alone; 90 + 60 does not
    const [long, wordy] = [asked(90, 10), asked(10, 60)];
    expect(inBatches([long, wordy, wordy], 16, 100)).toEqual([[long], [wordy, wordy]]);
  });
});
