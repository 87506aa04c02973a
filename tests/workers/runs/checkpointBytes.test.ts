/** A checkpoint comes back as it went, and one whose numbers lie in another order is refused. */
import { expect, it } from 'vitest';
import { freshWatch } from '../../../src/training/stopping';
import { packCheckpoint, unpackCheckpoint } from '../../../workers/runs/checkpointBytes';

const checkpoint = {
  step: 7,
  parameters: Float32Array.of(1, 2, 3),
  mean: Float32Array.of(4, 5, 6),
  square: Float32Array.of(7, 8, 9),
  best: Float32Array.of(10, 11, 12),
  watch: freshWatch(),
};

it('comes back as it went', () => {
  expect(unpackCheckpoint(packCheckpoint(checkpoint))).toEqual(checkpoint);
});

it('refuses one from before adapters of one product lay together, which names no layout', () => {
  const { meta, ...rest } = packCheckpoint(checkpoint);
  const { layout, ...old } = meta as { layout: number };
  expect(layout).toBe(2);
  expect(() => unpackCheckpoint({ ...rest, meta: old })).toThrow('kept its numbers in another order');
});
