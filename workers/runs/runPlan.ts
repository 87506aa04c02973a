/** What a run will take on this device, and by which ways: the planner's numbers with what the self-test found. */
import type { ModelConfig } from '../../src/model/config';
import { detoursInUse, wayOf } from '../../src/ops/ways';
import type { TrainingData } from '../../src/protocol/data';
import type { Plan } from '../../src/protocol/events';
import type { Settings } from '../../src/protocol/settings';
import { operationsOf } from '../../src/training/operations';
import { planRun } from '../../src/training/plan';
import { machine } from '../device/machine';

/** Throws, before anything is loaded, where the device computes an operation of the run wrongly in every way. */
export async function planHere(
  { settings, data }: { settings: Settings; data: Pick<TrainingData, 'train'> },
  config: ModelConfig,
): Promise<Plan> {
  const { backend, gpu } = await machine();
  const needed = operationsOf(settings);
  needed.forEach(wayOf);
  const detours = detoursInUse().filter(({ operation }) => needed.includes(operation));
  return planRun(config, settings, data.train, {
    ...{ backend, device: gpu?.name ?? 'the processor' },
    ...(detours.length > 0 ? { detours } : {}),
  });
}
