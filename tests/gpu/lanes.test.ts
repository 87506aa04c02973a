import { describe, expect, it } from 'vitest';
import { handRound } from '../../src/gpu/lanes';
import { processorTile, registersForFew, sourceOf } from '../../src/ops/product/choose';
import { PLAIN } from '../../src/ops/product/operands';

describe('values of one lane', () => {
  const code =
    'let a = subgroupBroadcast(own, 3u) + subgroupShuffle(own, lane % 4u);\nlet b = subgroupBroadcast(sum, 0u);';

  it('are taken by shuffle where the driver has eight lanes', () => {
    expect(handRound(code, 8)).toBe(
      'let a = subgroupShuffle(own, 3u) + subgroupShuffle(own, lane % 4u);\nlet b = subgroupShuffle(sum, 0u);',
    );
  });

  it('stay broadcasts where it has four, or none are used', () => {
    expect([handRound(code, 4), handRound(code, 0)]).toEqual([code, code]);
  });

  it.each([
    ['many rows', (lanes: number) => processorTile('nt', 'q4', lanes)],
    ['few rows', (lanes: number) => registersForFew(8, 4, lanes)],
  ])('are so in a product of %s', (_, design) => {
    const ways = (lanes: number) => {
      const source = sourceOf({ ...PLAIN, form: 'nt', format: 'q4', vector: 4 }, design(lanes));
      return ['subgroupBroadcast(', 'subgroupShuffle('].map((way) => source.includes(way));
    };
    expect(ways(8)).toEqual([false, true]);
    expect(ways(4)).toEqual([true, false]);
  });
});
