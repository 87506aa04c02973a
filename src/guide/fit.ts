/**
 * Whether a run fits this machine, told from config.json alone before anything is downloaded. The bytes are the planner's; this adds
 * the judgement. A weight matrix larger than the device's binding limit is kept in parts, so for weights only the sum counts; the
 * adapter's numbers lie in one buffer each and have to be bindable.
 */
import type { ModelConfig } from '../model/config';
import type { MemoryPart, Plan } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import { planRun } from '../training/plan';
import type { Bytes } from '../units';
import { memoryBudget, type Machine, type MemoryBudget } from './machineMemory';

export type Verdict = 'fits' | 'tight' | 'no';

export interface Judgement {
  verdict: Verdict;
  needed: Bytes;
  memory: MemoryPart[];
  budget: MemoryBudget;
  /** Set where one buffer is larger than the device can bind, whatever the total is. */
  tooLarge: { bytes: Bytes; limit: Bytes } | null;
}

/** The planner is held to a tenth of what is measured: a run fits when a tenth more would fit too. */
export const MARGIN = 1.1;

export function judge(plan: Plan, machine: Machine): Judgement {
  const budget = memoryBudget(machine);
  const tooLarge = unbindable(plan, machine);
  return {
    verdict: tooLarge === null ? verdictOf(plan.predictedBytes, budget.bytes) : 'no',
    needed: plan.predictedBytes,
    memory: plan.memory,
    budget,
    tooLarge,
  };
}

export function fitOf(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow = 1,
): Judgement {
  return judge(predict(config, settings, machine, examplesPerRow), machine);
}

export function verdictOf(needed: Bytes, budget: Bytes): Verdict {
  if (needed * MARGIN <= budget) return 'fits';
  return needed <= budget ? 'tight' : 'no';
}

/** The verdict alone: the cheap question that a search asks many times. */
export function quickVerdict(
  config: ModelConfig,
  settings: Settings,
  machine: Machine,
  examplesPerRow = 1,
): Verdict {
  return fitOf(config, settings, machine, examplesPerRow).verdict;
}

/**
 * Before data is there a row holds one example, so that a step has as many rows as examples: the largest it can be. `examplesPerRow`
 * is that of rows of `settings.sequenceLength` tokens.
 */
export function predict(config: ModelConfig, settings: Settings, machine: Machine, examplesPerRow = 1): Plan {
  const rows = settings.batchExamples;
  const train = { rows, examples: rows * examplesPerRow, length: settings.sequenceLength };
  return planRun(config, settings, train, { backend: machine.backend, device: machine.device });
}

/** Weights, means and squares of what is trained are four buffers of this size. */
function unbindable(plan: Plan, { maxBindingBytes }: Machine): Judgement['tooLarge'] {
  const bytes = 4 * plan.trainableParameters;
  return maxBindingBytes > 0 && bytes > maxBindingBytes ? { bytes, limit: maxBindingBytes } : null;
}
