/** The learning rate of a step: linear warm-up, then cosine or linear decay to zero, or constant; as transformers does it. */
import type { Settings } from '../protocol/settings';

/** `step` counts from 0. */
export function learningRateAt(
  { learningRate, schedule, warmupSteps }: Pick<Settings, 'learningRate' | 'schedule' | 'warmupSteps'>,
  step: number,
  steps: number,
): number {
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps);
  if (schedule === 'constant') return learningRate;
  const left = Math.max(1, steps - warmupSteps);
  if (schedule === 'linear') return learningRate * Math.max(0, (steps - step) / left);
  return learningRate * Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step - warmupSteps)) / left)));
}
