import { describe, expect, it } from 'vitest';
import { handRound } from '../../src/gpu/lanes';

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
});
