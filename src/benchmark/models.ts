/**
 * The benchmarks that need a whole model: one step, decoding, loading. The model is Qwen2.5-0.5B with random weights; no peer
 * can be given it, so rows say so. Each piece is compared with peers in tasks.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import { baseModel } from '../adapter/baseModel';
import { loraTrainable } from '../adapter/lora';
import { dispatchCount } from '../gpu/dispatch';
import { submit } from '../gpu/inside';
import { allocatedBytes } from '../gpu/memory';
import { finished } from '../gpu/rest';
import { emptyPool } from '../gpu/tensors';
import type { ModelConfig } from '../model/config';
import type { Runnable } from '../model/forward';
import { generate } from '../model/generate';
import { rotaryTables } from '../model/rotary';
import { loadWeights } from '../model/loadWeights';
import { disposeWeights, type ModelWeights } from '../model/weights';
import { adamw, gradientNorm } from '../ops/flat';
import { zerosOnDevice } from '../ops/pickRows';
import type { BenchmarkName, PeerFigure } from '../protocol/benchmark';
import type { PackedRows } from '../protocol/data';
import { defaultSettings, TARGETS } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import { randomFrom } from '../random';
import { disposeBatch, makeBatch } from '../training/batch';
import { chunkRows } from '../training/chunkRows';
import { headLoss } from '../training/head';
import type { Bytes, Milliseconds } from '../units';
import { planRun } from '../training/plan';
import { MicroBatches } from '../training/microBatches';
import { limitOf, withFlops, type Bench } from './bench';
import { stepFlops } from './flops';
import { qwen, RANK } from './shapes';
import { matrixBytes, syntheticSource } from './synthetic';
import { inTurns, ratioIn, time, timingOf, type Round, type Work } from './timing';

/** The formats in which a model of half a billion weights is measured; f32 would be 2 GB. */
const MODEL_FORMATS: readonly WeightFormat[] = ['f16', 'q4'];

const notRun = (bench: Bench, why: string): PeerFigure[] =>
  bench.peers.map(({ name, version }) => ({
    ...{ peer: name, version, ms: null, ratio: null, correct: null, relL2: null },
    note: `not run: ${why}`,
  }));

async function withModel(
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

function dispatchesOf(work: () => void): number {
  const before = dispatchCount();
  work();
  return dispatchCount() - before;
}

/** Rows of `length` random ids in which every token is learned. */
export function randomRows(rows: number, length: number, vocab: number): PackedRows {
  const random = randomFrom(7);
  const ids = Int32Array.from({ length: rows * length }, () => Math.floor(random() * vocab));
  const targets = ids.map((_, index) => ((index + 1) % length === 0 ? -1 : (ids[index + 1] ?? -1)));
  const documentStart = new Int32Array(rows * length);
  return { rows, length, ids, targets, documentStart, examples: rows, supervised: rows * (length - 1) };
}

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

/** The first token is the prompt's, the next is built, and with the two after it the device is busy. */
const BEFORE = 4;
/** Tokens that are timed as one: on a graphics card several are under way at once, and come together. */
const TOGETHER = 4;
/** Prompts at once, and how often each number has its turn. */
const PROMPTS = [1, 8];
const TURNS = 5;

/** How long after the one before it each token came. */
async function timesOfTokens(bench: Bench, model: Runnable, prompts: Int32Array[]): Promise<Milliseconds[]> {
  const times: Milliseconds[] = [];
  const greedy = { temperature: 0, topP: 1, random: () => 0, stopIds: [], maxTokens: BEFORE + 4 * TOGETHER };
  let last = performance.now();
  for await (const _ of generate(model, prompts, greedy)) {
    bench.patience.signal.throwIfAborted();
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times;
}

function meansOf(times: readonly Milliseconds[], count: number): Milliseconds[] {
  const means: Milliseconds[] = [];
  for (let at = 0; at + count <= times.length; at += count)
    means.push(times.slice(at, at + count).reduce((sum, one) => sum + one, 0) / count);
  return means;
}

export async function decode(bench: Bench): Promise<void> {
  const config = qwen();
  const what = `New tokens, greedy, after a prompt of 16; the mean time of one in ${TOGETHER}`;
  await withModel(bench, 'decode', what, async (weights, format) => {
    const model = baseModel(config, weights);
    const probe = bench.limits.copy;
    const rounds: Round[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      // a card is awake after it
      const round = [[(await time(probe.work, { ...bench.patience, runs: 3 })).ms]];
      for (const prompts of PROMPTS) {
        const { ids } = randomRows(prompts, 16, config.vocab);
        const each = Array.from({ length: prompts }, (_, index) => ids.slice(index * 16, (index + 1) * 16));
        round.push(meansOf((await timesOfTokens(bench, model, each)).slice(BEFORE), TOGETHER));
      }
      rounds.push(round);
    }
    bench.check();
    const bytes = matrixBytes(config, format);
    PROMPTS.forEach((prompts, index) => {
      const timing = timingOf(rounds, index + 1);
      bench.emit({
        ...{ name: 'decode', what, shape: `${prompts} at once, ${format}`, device: bench.device },
        ours: { ...timing, bytes, tokensPerSecond: (1000 * prompts) / timing.ms },
        limit: limitOf({ probe, amount: bytes }, rounds, { of: index + 1, at: 0 }),
        peers: notRun(bench, 'needs a model file'),
        ...(index > 0 && {
          details: { 'times the tokens of one prompt': prompts / ratioIn(rounds, index + 1, 1) },
        }),
      });
    });
  });
}

export async function load(bench: Bench): Promise<void> {
  const config = qwen({ num_hidden_layers: 1, vocab_size: 1024 });
  const source = syntheticSource(config);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const name of source.names()) values.set(name, await source.read(name));
  const ready = { ...source, read: async (name: string) => (values.get(name) ?? new Float32Array()).slice() };
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
