/** Which rows a step trains on, and what differs from one micro-batch to the next. */
import { expect, it } from 'vitest';
import { dropoutSeedOf, planSteps, rowsOfStep } from '../../src/training/order';

// 10 rows with 2 examples each; 8 examples are 4 rows a step, so 3 steps an epoch, the last one of 2 rows
const plan = planSteps({ batchExamples: 8, epochs: 2, maxSteps: 0 }, { rows: 10, examples: 20 });

it('goes through every row once an epoch, in another order the next time', () => {
  expect(plan).toEqual({ rowsPerStep: 4, stepsPerEpoch: 3, steps: 6 });
  const steps = Array.from({ length: 6 }, (_, step) => rowsOfStep(10, plan, step, 42));
  expect(steps.map((rows) => rows.length)).toEqual([4, 4, 2, 4, 4, 2]);
  const epochs = [steps.slice(0, 3).flat(), steps.slice(3).flat()];
  for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(epochs[0]).not.toEqual(epochs[1]);
  expect(rowsOfStep(10, plan, 4, 42)).toEqual(steps[4]);
});

it('drops other numbers in every micro-batch', () => {
  // a row at a time: 6 steps of 4 micro-batches
  const seeds = Array.from({ length: 24 }, (_, row) => dropoutSeedOf(plan, Math.floor(row / 4), row % 4, 42));
  expect(new Set(seeds).size).toBe(24);
});
