import { secondaryScores } from '../../src/evaluation/secondary';
import { describe, expect, it } from 'vitest';
import { scoreAnswers, type AnsweredRow } from '../../src/evaluation/score';
import { verdict } from '../../src/evaluation/verdict';

const row = (base: string, tuned: string): AnsweredRow => ({
  prompt: '<user>q',
  question: 'q',
  reference: 'yes',
  base,
  tuned,
});

const answering = { seconds: 3, left: 0, limit: 20, cut: { base: 1, tuned: 0 } };

describe('scoring two sets of answers', () => {
  it('counts right, fixed and broken rows and pairs them in the test', () => {
    const rows = [
      row('no', 'yes'),
      row('no', ' yes\n'),
      row('yes', 'yes'),
      row('yes', 'no'),
      row('no', 'no'),
    ];
    const scores = scoreAnswers(rows, answering);
    expect(scores.metric).toBe('em|norm:trimmed|refs:max|v:1');
    expect(scores.base).toMatchObject({ right: 2, of: 5, share: 0.4 });
    expect(scores.tuned).toMatchObject({ right: 3, of: 5, share: 0.6 });
    expect([scores.fixed, scores.broken]).toEqual([2, 1]);
    expect(scores.pValue).toBe(1); // 2 of 3 heads is no news
    expect(scores.verdict).toContain('No clear difference on 5 rows');
    expect(scores).toMatchObject(answering);
    expect(scores.rows[3]).toMatchObject({ baseRight: true, tunedRight: false });
  });

  it('calls ten rows of ten fixed an improvement', () => {
    const scores = scoreAnswers(
      Array.from({ length: 10 }, () => row('no', 'yes')),
      answering,
    );
    expect(scores.pValue).toBeCloseTo(2 / 2 ** 10, 12);
    expect(scores.verdict).toBe(
      'Better, on 10 rows kept from training: 0 right before, 10 after, 10 fixed and 0 broken (p = 0.002).',
    );
  });

  it('compares what follows the reasoning where the data reasons', () => {
    const thought = {
      ...row('<think>no idea</think>no', '<think>\nother thoughts\n</think>\n\nyes'),
      reference: '<think>so</think>yes',
    };
    const endless = { ...thought, tuned: '<think>yes' };
    const scores = scoreAnswers([thought, endless], answering);
    expect(scores.rows.map(({ baseRight, tunedRight }) => [baseRight, tunedRight])).toEqual([
      [false, true],
      [false, false],
    ]);
    expect(scores.metric).toBe('em|norm:trimmed|refs:max|v:1|think:cut');
    expect(scores.rows[0]?.tuned).toContain('other thoughts');
    // without reasoning in the data a think block is part of the answer
    expect(scoreAnswers([{ ...thought, reference: 'yes' }], answering).tuned.right).toBe(0);
  });

  it('refuses an empty set', () => {
    expect(() => scoreAnswers([], answering)).toThrow('0 held-out rows');
  });
});

describe('the verdict', () => {
  it('names no winner while the test is not clear, however the counts lean', () => {
    const text = verdict({ rows: 20, baseRight: 11, tunedRight: 15, fixed: 4, broken: 0, pValue: 0.125 });
    expect(text).toBe(
      'No clear difference on 20 rows: 11 right before, 15 after, 4 fixed and 0 broken (p = 0.13).',
    );
  });

  it('says when tuning made it worse', () => {
    const text = verdict({ rows: 100, baseRight: 60, tunedRight: 40, fixed: 5, broken: 25, pValue: 0.0003 });
    expect(text).toMatch(/^Worse, on 100 rows kept from training/);
    expect(text).toContain('p < 0.001');
  });

  it('says when nothing changed', () => {
    const text = verdict({ rows: 9, baseRight: 3, tunedRight: 3, fixed: 0, broken: 0, pValue: 1 });
    expect(text).toBe('No difference on 9 rows: 3 right before, 3 after.');
  });
});

it('other figures are means of the same rows, with an interval around their difference', () => {
  // F1 of "red kite" and "red bird": one shared word of two and two, 2 · 1 / 4 = 0.5
  const rows = [
    { reference: 'red kite', base: 'red bird', tuned: 'red kite' },
    { reference: 'blue jay', base: 'owl', tuned: 'blue jay' },
  ];
  const [f1, chrf, rougeL] = secondaryScores(rows);
  expect(f1).toMatchObject({ base: 0.25, tuned: 1 });
  expect(f1?.difference.mean).toBeCloseTo(0.75, 12);
  // every draw lies between the two rows' differences, 0.5 and 1
  expect(f1?.difference.low).toBeCloseTo(0.5, 12);
  expect(f1?.difference.high).toBeCloseTo(1, 12);
  expect(chrf).toMatchObject({ name: 'chrF2', tuned: 1 });
  expect(rougeL?.base).toBeCloseTo(0.25, 12);
  expect(
    secondaryScores([{ reference: 'привет', base: 'x', tuned: 'привет' }]).map(({ name }) => name),
  ).toEqual(['F1 of words', 'chrF2']);
});
