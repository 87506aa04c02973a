/** Which of several timed candidates is taken, without a device at hand. */
import { describe, expect, it } from 'vitest';
import type { Design } from '../../src/ops/product/choose';
import { winnerOf, type Trial } from '../../src/ops/product/tune';

const design = (rows: number): Design => ({ design: 'registers', rows, cols: 1, broadcast: 0 });
const trial = (rows: number, time: number | null): Trial => ({
  ...{ form: 'nt', rows: 'many', error: 0 },
  design: design(rows),
  time,
});

describe('the winner', () => {
  it('is the fastest where it is clearly faster than what is built in', () => {
    expect(winnerOf([trial(1, 1), trial(2, 0.8), trial(3, 0.9)])?.design).toEqual(design(2));
  });
  it('is what is built in where the fastest is less than 5 % faster', () => {
    expect(winnerOf([trial(1, 1), trial(2, 0.96)])?.design).toEqual(design(1));
  });
  it('is never one that was wrong, and none where all were', () => {
    expect(winnerOf([trial(1, null), trial(2, 3), trial(3, null)])?.design).toEqual(design(2));
    expect(winnerOf([trial(1, null)])).toBeNull();
    expect(winnerOf([])).toBeNull();
  });
});
