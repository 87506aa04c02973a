/** A model that could be brought in, as its config.json describes it: enough to plan a run on it before a byte of it is here. */
import { readConfig, type ModelConfig } from '../model/config';
import { parameterCount } from '../model/shapes';
import { defaultSettings } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import { planRun } from '../training/plan';
import type { Bytes } from '../units';

export interface Candidate {
  config: ModelConfig;
  parameters: number;
}

/** `json`: config.json, parsed. Throws a sentence that names what is missing or not supported. */
export function candidateFrom(json: unknown): Candidate {
  const config = readConfig(json);
  return { config, parameters: parameterCount(config) };
}

/** Bytes of the weights on the GPU in each format: the planner's. */
export function weightBytesOf(config: ModelConfig): Record<WeightFormat, Bytes> {
  const machine = { backend: 'webgpu', device: '' };
  const train = { rows: 1, examples: 1, length: 32 };
  const total = (weightFormat: WeightFormat): Bytes =>
    planRun(config, { ...defaultSettings, weightFormat }, train, machine).memory.find(
      ({ part }) => part === 'weights',
    )?.bytes ?? 0;
  return {
    ...{ f32: total('f32'), f16: total('f16'), q8: total('q8') },
    ...{ q4: total('q4'), nf4: total('nf4'), nf4dq: total('nf4dq') },
  };
}
