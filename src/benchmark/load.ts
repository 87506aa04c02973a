/** f32 weights on their way to the device: one layer, in each format. */
import { sourceOfValues } from '../checkpoint/source';
import { finished } from '../gpu/rest';
import { loadWeights } from '../model/loadWeights';
import { weightShapes } from '../model/shapes';
import { disposeWeights, type ModelWeights } from '../model/weights';
import { limitOf, type Bench } from './bench';
import { qwen } from './shapes';
import { matrixBytes, syntheticSource } from './synthetic';
import { inTurns, timingOf, type Work } from './timing';
import { notRun } from './wholeModel';

export async function load(bench: Bench): Promise<void> {
  const config = qwen({ num_hidden_layers: 1, vocab_size: 1024 });
  const source = syntheticSource(config);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const name of source.names()) values.set(name, await source.read(name));
  // made beforehand: what is timed is their conversion
  const ready = sourceOfValues(weightShapes(config), async (name) => {
    const found = values.get(name);
    if (!found) throw new Error(`The layer has no ${name}.`);
    return found.slice();
  });
  const bytes = matrixBytes(config, 'f32');
  for (const format of bench.formats) {
    bench.now(`converting weights, ${format}`);
    let weights: ModelWeights | null = null;
    const loading: Work = {
      record: async () => {
        if (weights) disposeWeights(weights);
        weights = await loadWeights(config, ready, format);
      },
      finish: finished,
    };
    const probe = bench.limits.copy;
    const rounds = await inTurns([loading, probe.work], bench.patience);
    if (weights) disposeWeights(weights);
    bench.check();
    bench.emit({
      ...{ name: 'load', what: 'f32 weights converted and handed to the device, one layer of Qwen2.5-0.5B' },
      ...{ shape: format, device: bench.device, ours: { ...timingOf(rounds, 0), bytes } },
      limit: limitOf({ probe, amount: bytes }, rounds, { of: 0, at: 1 }),
      peers: notRun(bench, 'has no loader of its own for this format'),
    });
  }
}
