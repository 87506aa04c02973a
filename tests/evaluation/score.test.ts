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

describe('scoring two sets of answers', () => {
  it('counts right, fixed and broken rows and pairs them in the test', () => {
    const rows = [
      row('no', 'yes'),
      row('no', ' yes\n'),
      row('yes', 'yes'),
      row('yes', 'no'),
      row('no', 'no'),
    ];
    const scores = scoreAnswers(rows, 3);
    expect(scores.metric).toBe('em|norm:trimmed|refs:max|v:1');
    expect(scores.base).toMatchObject({ right: 2, of: 5, share: 0.4 });
    expect(scores.tuned).toMatchObject({ right: 3, of: 5, share: 0.6 });
    expect([scores.fixed, scores.broken]).toEqual([2, 1]);
    expect(scores.pValue).toBe(1); // 2 of 3 heads is no news
    expect(scores.verdict).toContain('No clear difference on 5 rows');
    expect(scores.rows[3]).toMatchObject({ baseRight: true, tunedRight: false });
  });

  it('calls ten rows of ten fixed an improvement', () => {
    const scores = scoreAnswers(
      Array.from({ length: 10 }, () => row('no', 'yes')),
      1,
    );
    expect(scores.pValue).toBeCloseTo(2 / 2 ** 10, 12);
    expect(scores.verdict).toBe(
      'Better after tuning on 10 rows: 0 right before, 10 after, 10 fixed and 0 broken (p = 0.002).',
    );
  });

  it('refuses an empty set', () => {
    expect(() => scoreAnswers([], 0)).toThrow('0 held-out rows');
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
    expect(text).toMatch(/^Worse after tuning on 100 rows/);
    expect(text).toContain('p < 0.001');
  });

  it('says when nothing changed', () => {
    const text = verdict({ rows: 9, baseRight: 3, tunedRight: 3, fixed: 0, broken: 0, pValue: 1 });
    expect(text).toBe('No difference on 9 rows: 3 right before, 3 after.');
  });
});
