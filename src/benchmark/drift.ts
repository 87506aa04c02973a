/** A thousand steps of a tiny model through the real training loop: neither time nor memory may grow, and no buffer be made. */
import { loraTrainable } from '../adapter/lora';
import { specOf } from '../adapter/spec';
import { allocatedBytes } from '../gpu/memory';
import { countBuffers } from '../gpu/countBuffers';
import { restful } from '../gpu/rest';
import { loadWeights } from '../model/loadWeights';
import { disposeWeights } from '../model/weights';
import { defaultSettings } from '../protocol/settings';
import { planRun } from '../training/plan';
import { trainRun } from '../training/run';
import type { Bench } from './bench';
import { randomRows } from './models';
import { smallQwen } from './shapes';
import { syntheticSource } from './synthetic';
import { summary } from './timing';

/** So large that the device takes most of a step, not the page that hands it work. */
const SIZE = { hidden_size: 256, intermediate_size: 768 };
const LENGTH = 128;
const STEPS = 1000;
const HUNDRED = 100;
/** Steps after which pipelines exist, the pool has seen every size and the JavaScript engine has compiled what every step runs. */
const SETTLED = 100;

export async function drift(bench: Bench): Promise<void> {
  const config = smallQwen({ ...SIZE, num_hidden_layers: 2 });
  const rows = { ...randomRows(8, LENGTH, config.vocab) };
  const settings = {
    ...defaultSettings,
    ...{ weightFormat: 'f32' as const, rank: 8, alpha: 16, maxSteps: STEPS, epochs: STEPS },
    ...{ batchExamples: 1, sequenceLength: LENGTH, evaluateEvery: 10 * STEPS },
  };
  const weights = await loadWeights(config, syntheticSource(config), 'f32');
  const trainable = loraTrainable(config, weights, specOf(settings, config), { seed: 1 });
  const none = { ...rows, rows: 0, examples: 0, supervised: 0 };
  const times: number[] = [];
  const bytes: number[] = [];
  const made: number[] = [];
  const buffers = countBuffers();
  try {
    await trainRun({
      ...{ config, trainable, settings, train: rows, validation: none, from: null },
      plan: planRun(config, settings, rows, { backend: 'webgpu', device: bench.device }),
      control: {
        get stopRequested() {
          return bench.patience.signal.aborted;
        },
        pauseRequested: false,
        resumed: async () => undefined,
      },
      emit: (event) => {
        if (event.type !== 'step') return;
        times.push(event.report.stepTime);
        bytes.push(allocatedBytes());
        made.push(buffers.made);
      },
      save: async () => undefined,
      waitFor: restful(),
      check: bench.check,
    });
  } finally {
    buffers.stop();
    trainable.flat.dispose();
    disposeWeights(weights);
  }
  bench.patience.signal.throwIfAborted();
  const first = summary(times.slice(SETTLED, SETTLED + HUNDRED));
  const last = summary(times.slice(-HUNDRED));
  const at = (list: number[], index: number) => list.at(index) ?? NaN;
  bench.emit({
    name: 'drift',
    what: `${times.length} steps of a tiny model: the last hundred beside the first after ${SETTLED}`,
    shape: `T ${LENGTH}, 2 layers of ${SIZE.hidden_size}`,
    device: bench.device,
    ours: { ...last, bytes: at(bytes, -1) },
    limit: {
      what: 'median of the first hundred steps',
      value: first.ms,
      unit: 'ms',
      fraction: first.ms / last.ms,
    },
    peers: [],
    details: {
      'fastest of the first hundred, ms': Number(first.least.toFixed(2)),
      'fastest of the last hundred, ms': Number(last.least.toFixed(2)),
      [`bytes at step ${SETTLED}`]: at(bytes, SETTLED - 1),
      'bytes at the end': at(bytes, -1),
      [`buffers made after step ${SETTLED}`]: at(made, -1) - at(made, SETTLED - 1),
    },
  });
}
