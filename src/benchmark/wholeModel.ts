/** What the benchmarks of a whole model share: Qwen2.5-0.5B with random weights, loaded for as long as it is measured. */
import { allocatedBytes } from '../gpu/memory';
import { finished } from '../gpu/rest';
import { emptyPool } from '../gpu/tensors';
import { loadWeights } from '../model/loadWeights';
import { disposeWeights, type ModelWeights } from '../model/weights';
import type { BenchmarkName, PeerFigure } from '../protocol/benchmark';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import type { Bench } from './bench';
import { qwen } from './shapes';
import { syntheticSource } from './synthetic';

/** The formats in which a model of half a billion weights is measured; f32 would be 2 GB. */
const MODEL_FORMATS: readonly WeightFormat[] = ['f16', 'q4'];

/** What no peer can do, and why. */
export const notRun = (bench: Bench, why: string): PeerFigure[] =>
  bench.peers.map(({ name, version }) => ({
    ...{ peer: name, version, ms: null, ratio: null, correct: null, relL2: null },
    note: `not run: ${why}`,
  }));

export async function withModel(
  bench: Bench,
  name: BenchmarkName,
  what: string,
  /** `held`: bytes that were there before the model. */
  work: (weights: ModelWeights, format: WeightFormat, held: Bytes) => Promise<void>,
): Promise<void> {
  const config = qwen();
  for (const format of bench.formats.filter((one) => MODEL_FORMATS.includes(one))) {
    let weights: ModelWeights | null = null;
    bench.now(`${what}, ${format}`);
    try {
      emptyPool();
      const held = allocatedBytes();
      weights = await loadWeights(config, syntheticSource(config), format);
      await finished();
      bench.check();
      await work(weights, format, held);
    } catch (error) {
      bench.patience.signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      bench.emit({
        name,
        what,
        shape: format,
        device: bench.device,
        ours: null,
        limit: null,
        peers: [],
        reason,
      });
    } finally {
      if (weights) disposeWeights(weights);
    }
  }
}
