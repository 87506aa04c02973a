/**
 * What the first step costs beside a later one, with the loading of the weights:
 * `node scripts/run.mjs tests/bench/firstStep.ts [layers] [format] [plain]`. The model has Qwen2.5-0.5B's sizes and random weights.
 * `plain` leaves the rehearsal out, so that the first step makes all its pipelines itself. Mesa keeps compiled kernels between runs:
 * set MESA_SHADER_CACHE_DISABLE=true.
 */
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { qwen } from '../../src/benchmark/shapes';
import { randomRows, syntheticSource } from '../../src/benchmark/synthetic';
import { startEngine } from '../../src/gpu/backend';
import { cacheSizes } from '../../src/gpu/pipelines';
import { finished } from '../../src/gpu/rest';
import { loadWeights } from '../../src/model/loadWeights';
import { parseSettings } from '../../src/protocol/settings';
import { planRun } from '../../src/training/plan';
import { rehearseRun } from '../../src/training/rehearseRun';
import { trainRun } from '../../src/training/run';

const [layers = '24', weightFormat = 'q4', way = 'rehearsed'] = process.argv.slice(2);
const engine = await startEngine();
const config = qwen({ num_hidden_layers: Number(layers) });
const settings = parseSettings({
  ...{ rank: 8, alpha: 16, sequenceLength: 128, batchExamples: 1, maxSteps: 3, epochs: 100 },
  ...{ weightFormat, evaluateEvery: 3, patience: 0 },
});
const train = randomRows(4, 128, config.vocab);
const validation = randomRows(1, 128, config.vocab);

const start = performance.now();
const busy = process.cpuUsage();
const seconds = (time: number) => `${(time / 1000).toFixed(2)} s`;
const tell = (what: string) => {
  const { user, system } = process.cpuUsage(busy);
  const processor = seconds((user + system) / 1000);
  const { pipelines } = cacheSizes();
  console.log(
    `${seconds(performance.now() - start)}: ${what}; ${processor} of processors, ${pipelines} pipelines`,
  );
};
const rehearsal = way === 'plain' ? null : rehearseRun({ config, settings, train, validation });
if (rehearsal) tell(`gone through, ${rehearsal.total} asked for`);
const weights = await loadWeights(config, syntheticSource(config), settings.weightFormat);
await finished();
tell('weights loaded');
await rehearsal?.ready(() => undefined);
await finished();
if (rehearsal) tell('all pipelines made');
await trainRun({
  ...{ config, settings, train, validation, from: null },
  trainable: loraTrainable(config, weights, specOf(settings, config), { seed: 1 }),
  plan: planRun(config, settings, train, { backend: engine.backend, device: engine.gpu?.name ?? '' }),
  control: { stopRequested: false, pauseRequested: false, resumed: async () => undefined },
  emit: (event) => {
    if (event.type === 'step') tell(`step ${event.report.step} in ${seconds(event.report.stepTime)}`);
    if (event.type === 'evaluated') tell(`loss ${event.report.loss.toFixed(4)} on held-out rows`);
  },
  save: async () => undefined,
  check: () => engine.check(),
});
