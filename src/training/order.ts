/** Which packed rows a step trains on. Pure, so that resuming needs only the step's number. */
import type { PackedRows } from '../protocol/data';
import { randomFrom } from '../random';
import type { Settings } from '../protocol/settings';

export interface StepPlan {
  rowsPerStep: number;
  stepsPerEpoch: number;
  steps: number;
}

export function planSteps(
  settings: Pick<Settings, 'batchExamples' | 'epochs' | 'maxSteps'>,
  train: Pick<PackedRows, 'rows' | 'examples'>,
): StepPlan {
  const perRow = Math.max(1, train.examples / Math.max(1, train.rows));
  const rowsPerStep = Math.min(train.rows, Math.max(1, Math.round(settings.batchExamples / perRow)));
  const stepsPerEpoch = Math.ceil(train.rows / Math.max(1, rowsPerStep));
  const all = stepsPerEpoch * settings.epochs;
  return {
    rowsPerStep,
    stepsPerEpoch,
    steps: settings.maxSteps > 0 ? Math.min(settings.maxSteps, all) : all,
  };
}

/** Row indices of `step` (from 0); the last step of an epoch may have fewer. */
export function rowsOfStep(
  rows: number,
  { rowsPerStep, stepsPerEpoch }: StepPlan,
  step: number,
  seed: number,
): number[] {
  const epoch = Math.floor(step / stepsPerEpoch);
  const order = shuffled(rows, seed + epoch * 7919);
  const at = (step % stepsPerEpoch) * rowsPerStep;
  return order.slice(at, at + rowsPerStep);
}

/** The seed of dropout for the micro-batch that begins with row `at` of a step: each has masks of its own. */
export function dropoutSeedOf({ rowsPerStep }: StepPlan, step: number, at: number, seed: number): number {
  return seed + 31 * (step * rowsPerStep + at);
}

/** Fisher–Yates */
function shuffled(count: number, seed: number): number[] {
  const random = randomFrom(seed);
  const order = Array.from({ length: count }, (_, index) => index);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a = 0, b = 0] = [order[i], order[j]];
    order[i] = b;
    order[j] = a;
  }
  return order;
}
