/** What a trainer tells of models, plans, runs and adapters. */
import type { AdapterSummary } from '../../../src/protocol/adapters';
import type { ModelSummary } from '../../../src/protocol/models';
import type { RunSummary } from '../../../src/protocol/runs';
import type { Plan } from '../../../src/protocol/events';
import { defaultSettings } from '../../../src/protocol/settings';

export const models: ModelSummary[] = ['llama', 'qwen', 'mistral'].map((family) => ({
  id: `tiny-${family}`,
  name: `Tiny ${family[0]?.toUpperCase() ?? ''}${family.slice(1)}`,
  family,
  parameters: 1_048_576,
  bytes: 2_200_000,
  source: 'embedded',
  contextLength: 512,
  weightFormat: null,
  origin: null,
}));

export const plan: Plan = {
  backend: 'webgpu',
  device: 'Test GPU',
  steps: 60,
  rowsPerStep: 4,
  tokensPerStep: 512,
  trainableParameters: 98_304,
  frozenParameters: 1_048_576,
  memory: [
    { part: 'weights', bytes: 2_200_000 },
    { part: 'adapter', bytes: 800_000 },
    { part: 'optimizer', bytes: 790_000 },
    { part: 'activations', bytes: 5_200_000 },
    { part: 'head', bytes: 2_000_000 },
    { part: 'staging', bytes: 300_000 },
  ],
  predictedBytes: 11_290_000,
};

export const adapter: AdapterSummary = {
  id: 'a1',
  name: 'Turn sentences into records · Tiny Llama',
  modelId: 'tiny-llama',
  modelName: 'Tiny Llama',
  created: Date.UTC(2026, 10, 24, 9, 0),
  bytes: 412_000,
  rank: 16,
  alpha: 32,
  targets: [...defaultSettings.targets],
  origin: 'trained',
  bestLoss: 0.118,
  runId: 'r1',
};

export const run: RunSummary = {
  id: 'r1',
  name: adapter.name,
  modelId: adapter.modelId,
  modelName: adapter.modelName,
  datasetName: 'Turn sentences into records',
  created: adapter.created,
  status: 'finished',
  step: 60,
  steps: 60,
  bestLoss: 0.118,
  adapterId: 'a1',
};

/** A curve that falls and settles; the figures mean nothing, their shape does. */
export const steps = (upTo: number, of = 60) =>
  Array.from({ length: upTo }, (_, index) => ({
    step: index + 1,
    steps: of,
    epoch: 0,
    loss: 0.1 + 3.1 * Math.exp(-index / 9) + 0.06 * Math.sin(index * 2.3),
    learningRate: 0.003 * (1 - index / of),
    gradientNorm: 1,
    supervised: 280,
    tokens: 512,
    stepTime: 420,
  }));
export const evaluations = (upTo: number) =>
  [10, 20, 30, 40, 50, 60]
    .filter((step) => step <= upTo)
    .map((step) => ({ step, loss: 0.12 + 3 * Math.exp(-step / 9), best: true }));
