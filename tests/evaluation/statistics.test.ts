import { describe, expect, it } from 'vitest';
import { holm, mcnemarExact, pairedBootstrap, wilson } from '../../src/evaluation/statistics';
import reference from '../fixtures/metrics/reference.json';

describe('intervals and tests against reference values', () => {
  it.each(reference.wilson)('Wilson $k of $n', ({ k, n, interval }) => {
    const { low, high } = wilson(k, n);
    expect(low).toBeCloseTo(interval[0] ?? Number.NaN, 9);
    expect(high).toBeCloseTo(interval[1] ?? Number.NaN, 9);
  });

  it.each(reference.mcnemar)('McNemar $b against $c', ({ b, c, p }) => {
    expect(mcnemarExact(b, c)).toBeCloseTo(p, 9);
  });

  it('McNemar does not underflow on ten thousand discordant rows', () => {
    expect(mcnemarExact(5000, 5000)).toBe(1);
    expect(mcnemarExact(5100, 4900)).toBeGreaterThan(0.04);
    expect(mcnemarExact(5100, 4900)).toBeLessThan(0.06);
  });

  it('refuses a share above one', () => {
    expect(() => wilson(11, 10)).toThrow('11 right of 10');
  });
});

describe('paired bootstrap', () => {
  const before = [1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1];
  const after = [1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1];

  it('four wins in twenty rows are +0.2, and the spread is that of the resampled mean', () => {
    const difference = pairedBootstrap(before, after, 7, 20_000);
    expect(difference.mean).toBeCloseTo(0.2, 12);
    expect([difference.wins, difference.ties, difference.losses]).toEqual([4, 16, 0]);
    // Population deviation of sixteen 0 and four 1, over √20: √(0.2 · 0.8 / 20) = 0.0894
    expect(difference.standardError).toBeGreaterThan(0.0894 * 0.98);
    expect(difference.standardError).toBeLessThan(0.0894 * 1.02);
    expect(difference.low).toBeGreaterThan(0);
  });

  it('gives the same interval for the same seed and another for another', () => {
    const noisy = before.map((value, row) => value + row * 0.013);
    expect(pairedBootstrap(noisy, after, 7)).toEqual(pairedBootstrap(noisy, after, 7));
    expect(pairedBootstrap(noisy, after, 7).low).not.toBe(pairedBootstrap(noisy, after, 8).low);
  });

  it('refuses rows that do not pair up', () => {
    expect(() => pairedBootstrap([1], [1, 0], 1)).toThrow('got 1 and 2');
  });
});

it('Holm multiplies the smallest p by the number of comparisons and never falls', () => {
  // .01 · 3, then .03 · 2, then max(.06, .04 · 1)
  expect(holm([0.03, 0.01, 0.04])).toEqual([0.06, 0.03, 0.06]);
});
