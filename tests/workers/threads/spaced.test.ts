/** What the page hears of a packing. */
import { expect, it } from 'vitest';
import type { PrepareProgress } from '../../../src/protocol/datasetApi';
import { spaced } from '../../../workers/threads/spaced';

it('is told every 100 ms, and of each stage when it begins', () => {
  let now = 0;
  const told: string[] = [];
  const tell = spaced(
    ({ stage, done }) => told.push(`${stage} ${done}`),
    () => now,
  );
  const at = (time: number, stage: PrepareProgress['stage'], done: number) => {
    now = time;
    tell({ stage, done, rows: 9, line: null });
  };
  at(0, 'tokens', 1);
  at(99, 'tokens', 2); // too soon
  at(100, 'tokens', 3);
  at(110, 'split', 1); // another stage
  at(111, 'pack', 0);
  at(112, 'pack', 0);
  at(211, 'pack', 0);
  expect(told).toEqual(['tokens 1', 'tokens 3', 'split 1', 'pack 0', 'pack 0']);
});
