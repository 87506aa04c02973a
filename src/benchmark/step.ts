/** One training step of a whole model, beside the best product and the bytes that were planned. */
import * as tf from '@tensorflow/tfjs-core';
import { loraTrainable } from '../adapter/lora';
import { dispatchCount } from '../gpu/dispatch';
import { submit } from '../gpu/inside';
import { allocatedBytes } from '../gpu/memory';
import { finished } from '../gpu/rest';
import type { ModelConfig } from '../model/config';
import { rotaryTables } from '../model/rotary';
import { adamw, gradientNorm } from '../ops/flat';
import { zerosOnDevice } from '../ops/pickRows';
import type { PackedRows } from '../protocol/data';
import { defaultSettings, TARGETS } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import { disposeBatch, makeBatch } from '../training/batch';
import { chunkRows } from '../training/chunkRows';
import { headLoss } from '../training/head';
import { MicroBatches } from '../training/microBatches';
import { planRun } from '../training/plan';
import { limitOf, withFlops, type Bench } from './bench';
import { stepFlops } from './flops';
import { qwen, RANK } from './shapes';
import { randomRows } from './synthetic';
import { inTurns, timingOf } from './timing';
import { notRun, withModel } from './wholeModel';

export async function step(bench: Bench): Promise<void> {
  const config = qwen();
  const length = 512;
  const what =
    'A whole training step of Qwen2.5-0.5B: forward, backward with every layer computed again, AdamW';
  await withModel(bench, 'step', what, async (weights, format, held) => {
    const spec = {
      ...{ rank: RANK, alpha: 2 * RANK, rslora: false, dropout: 0 },
      ...{ targets: [...TARGETS], layers: config.layers },
    };
    const trainable = loraTrainable(config, weights, spec, { seed: 1 });
    const tables = rotaryTables(config, length);
    const chunk = chunkRows(config.vocab, length);
    const rows = randomRows(1, length, config.vocab);
    const batch = makeBatch(rows, [0], 1, 1 / (length - 1), config, tables, chunk);
    const passes = new MicroBatches(config, trainable);
    let update = 0;
    let dispatches = 0;
    const record = () => {
      dispatches = dispatchesOf(() => {
        passes.run(batch, null);
        const norm = gradientNorm(trainable.flat.state, 1);
        const scalars = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
        adamw(trainable.flat.state, norm, { ...scalars, update: ++update });
        norm.dispose();
        submit();
      });
    };
    try {
      const probe = bench.limits.product;
      const rounds = await inTurns([{ record, finish: finished }, probe.work], bench.patience);
      bench.check();
      const timing = timingOf(rounds, 0);
      const amount = stepFlops(config, length, RANK);
      const limit = limitOf({ probe, amount }, rounds, { of: 0, at: 1 });
      const tokensPerSecond = (1000 * length) / timing.ms;
      const bytes = allocatedBytes() - held;
      const inHead = dispatchesOf(() => {
        const hidden = zerosOnDevice([length, config.hidden]);
        tf.dispose([hidden, headLoss(config, weights, hidden, batch.chunks, { dx: true, weights: false })]);
      });
      bench.emit({
        ...{ name: 'step', what, shape: `T ${length}, r ${RANK}, ${format}`, device: bench.device },
        ours: { ...withFlops(timing, amount), tokensPerSecond, bytes },
        limit,
        peers: notRun(bench, 'has no trainer for this model'),
        details: {
          dispatches,
          'of them in the loss head': inHead,
          'for each layer': Math.ceil((dispatches - inHead) / config.layers),
          'bytes predicted': predictedBytes(config, rows, format, bench.device),
        },
      });
    } finally {
      passes.forget();
      trainable.flat.dispose();
      disposeBatch(batch);
      tf.dispose(tables);
    }
  });
}

function predictedBytes(config: ModelConfig, rows: PackedRows, weightFormat: WeightFormat, device: string) {
  const settings = { ...defaultSettings, weightFormat, rank: RANK, alpha: 2 * RANK, batchExamples: 1 };
  return planRun(config, settings, rows, { backend: 'webgpu', device }).predictedBytes;
}

function dispatchesOf(work: () => void): number {
  const before = dispatchCount();
  work();
  return dispatchCount() - before;
}
