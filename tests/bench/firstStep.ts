/**
 * What a first step costs beside a later one, with the loading of the weights: `node scripts/run.mjs tests/bench/firstStep.ts
 * [layers] [format] [steps]`. The model has Qwen2.5-0.5B's sizes and random weights.
 */
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { randomRows } from '../../src/benchmark/models';
import { qwen } from '../../src/benchmark/shapes';
import { syntheticSource } from '../../src/benchmark/synthetic';
import { startEngine } from '../../src/gpu/backend';
import { cacheSizes } from '../../src/gpu/pipelines';
import { gpu } from '../../src/gpu/dispatch';
import { restBeforeRead } from '../../src/gpu/rest';
import { loadWeights } from '../../src/model/loadWeights';
import { parseSettings } from '../../src/protocol/settings';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import { planRun } from '../../src/training/plan';
import { trainRun } from '../../src/training/run';

const [layers = '24', format = 'q4', steps = '3'] = process.argv.slice(2);
const engine = await startEngine();
const config = qwen({ num_hidden_layers: Number(layers) });
const settings = parseSettings({
  ...{ rank: 8, alpha: 16, sequenceLength: 128, batchExamples: 1, maxSteps: Number(steps), epochs: 100 },
  ...{ weightFormat: format as WeightFormat, evaluateEvery: 1000, patience: 0 },
});
const train = randomRows(4, 128, config.vocab);
const { device } = gpu();
let making = 0;
const make = device.createComputePipeline.bind(device);
device.createComputePipeline = (d) => {
  const t = performance.now();
  const p = make(d);
  const own = performance.now() - t; if (own > 400) console.log(d.label, own.toFixed(0));
  making += own;
  return p;
};
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
const start = performance.now();
const weights = await loadWeights(config, syntheticSource(config), settings.weightFormat);
await device.queue.onSubmittedWorkDone();
console.log(`weights loaded after ${seconds(performance.now() - start)}`);
const trainable = loraTrainable(config, weights, specOf(settings, config), { seed: 1 });
await trainRun({
  ...{ config, trainable, settings, train, validation: train, from: null },
  plan: planRun(config, settings, train, { backend: 'webgpu', device: '' }),
  control: { stopRequested: false, pauseRequested: false, resumed: async () => undefined },
  emit: (event) => {
    if (event.type === 'step') {
      console.log(`step ${event.report.step}: ${seconds(event.report.stepTime)}, loss ${event.report.loss.toFixed(4)}, ${cacheSizes().pipelines} pipelines, making ${seconds(making)}, ${seconds(performance.now() - start)} since the start`);
    }
    if (event.type === 'evaluated') console.log('evaluated', seconds(performance.now() - start), seconds(making), cacheSizes().pipelines);
  },
  save: async () => undefined,
  beforeRead: restBeforeRead,
  check: () => engine.check(),
});
