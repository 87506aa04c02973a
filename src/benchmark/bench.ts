/**
 * What every benchmark is given, and the way a task becomes rows: ours is judged by the twins on the processor, peers by both,
 * and only what is right is timed.
 */
import * as tf from '@tensorflow/tfjs-core';
import type {
  BenchmarkName,
  BenchmarkRow,
  Limit,
  OwnFigure,
  PeerFigure,
  Timing,
} from '../protocol/benchmark';
import type { WeightFormat } from '../protocol/weightFormats';
import { relativeL2 } from '../selftest/distance';
import type { Limits } from './limits';
import { prepareOurs } from './ours';
import type { Peer, Prepared, Task } from './task';
import { time, type Patience } from './timing';

export interface Bench {
  device: string;
  limits: Limits;
  peers: readonly Peer[];
  formats: readonly WeightFormat[];
  patience: Patience;
  emit(row: BenchmarkRow): void;
  /** Throws when the device reported an error. */
  check(): void;
}

export interface Case {
  name: BenchmarkName;
  what: string;
  shape: string;
  /** Of the same kind, small enough for the twins on the processor. */
  small: Task;
  task: Task;
  /** Those tried here; empty for a task without weights, which is then done in f32. */
  formats: readonly WeightFormat[];
  figure(timing: Timing, format: WeightFormat): { ours: OwnFigure; limit: Limit };
}

const PEER_TOLERANCE = 1e-4;
/** f32 as for peers; a packed format is decoded by the kernel as the twin decodes it, up to half precision. */
const toleranceOf = (format: WeightFormat) => (format === 'f32' ? 1e-4 : 2e-3);

export async function compare(bench: Bench, { formats, task, small, ...rest }: Case): Promise<void> {
  const base = { name: rest.name, what: rest.what, device: bench.device };
  const wanted: readonly WeightFormat[] = formats.length > 0 ? formats : ['f32'];
  for (const format of wanted) {
    const truth = await onProcessor(() => once(prepareOurs(small, format)));
    const error = distance(await once(prepareOurs(small, format)), truth);
    bench.check();
    if (!(error <= toleranceOf(format)))
      throw new Error(
        `${rest.name} in ${format} is ${error.toExponential(1)} from its twin; ${toleranceOf(format)} is allowed. Nothing was timed.`,
      );
  }
  const own = prepareOurs(task, 'f32');
  const expected = await own.read();
  bench.check();
  let peers: Omit<PeerFigure, 'ratio'>[] = [];
  for (const format of wanted) {
    const mine = format === 'f32' ? own : prepareOurs(task, format);
    const timing = await time(mine, bench.patience);
    mine.dispose();
    bench.check();
    if (peers.length === 0) peers = await askPeers(bench, small, task, expected);
    const { ours, limit } = rest.figure(timing, format);
    const against = peers.map((peer) => ({ ...peer, ratio: peer.ms === null ? null : peer.ms / ours.ms }));
    const shape = formats.length > 0 ? `${rest.shape}, ${format}` : rest.shape;
    bench.emit({ ...base, shape, ours, limit, peers: against });
  }
  if (!wanted.includes('f32')) own.dispose();
}

async function askPeers(
  bench: Bench,
  small: Task,
  task: Task,
  expected: ArrayLike<number>[],
): Promise<Omit<PeerFigure, 'ratio'>[]> {
  const truth = await onProcessor(() => once(prepareOurs(small, 'f32')));
  const figures: Omit<PeerFigure, 'ratio'>[] = [];
  for (const peer of bench.peers) {
    bench.patience.signal.throwIfAborted();
    const figure = { peer: peer.name, version: peer.version, ms: null, correct: null, relL2: null };
    const little = await peer.prepare(small);
    const large = typeof little === 'string' ? little : await peer.prepare(task);
    if (typeof little === 'string' || typeof large === 'string') {
      const why = [little, large].find((one) => typeof one === 'string');
      figures.push({ ...figure, note: `not run: ${why ?? 'no reason given'}` });
      continue;
    }
    const relL2 = Math.max(distance(await once(little), truth), distance(await large.read(), expected));
    const correct = relL2 <= PEER_TOLERANCE;
    if (!correct) figures.push({ ...figure, correct, relL2, note: 'wrong, so not timed' });
    else {
      const timing = await time(large, bench.patience);
      const note = `${timing.least.toPrecision(3)} to ${timing.most.toPrecision(3)} ms in ${timing.runs} runs`;
      figures.push({ ...figure, ms: timing.ms, correct, relL2, note });
    }
    large.dispose();
    bench.check();
  }
  return figures;
}

async function once(work: Prepared): Promise<ArrayLike<number>[]> {
  try {
    return await work.read();
  } finally {
    work.dispose();
  }
}

/** The largest distance of any output. */
function distance(ours: ArrayLike<number>[], theirs: ArrayLike<number>[]): number {
  if (ours.length !== theirs.length)
    throw new Error(`Compared ${ours.length} outputs with ${theirs.length}.`);
  const errors = ours.map((values, index) => relativeL2(values, theirs[index] ?? []));
  return errors.some(Number.isNaN) ? NaN : Math.max(...errors);
}

/** Runs `work` on the twins and comes back to the device. */
export async function onProcessor<T>(work: () => Promise<T>): Promise<T> {
  const before = tf.getBackend();
  await tf.setBackend('cpu');
  try {
    return await work();
  } finally {
    await tf.setBackend(before);
  }
}

/** Our rate beside the best product of the device. */
export function ofProduct(bench: Bench, timing: Timing, flops: number): { ours: OwnFigure; limit: Limit } {
  const rate = flops / (timing.ms / 1000);
  return {
    ours: { ...timing, gflops: rate / 1e9 },
    limit: {
      what: 'the best product of this device',
      value: bench.limits.product / 1e9,
      unit: 'GFLOP/s',
      fraction: rate / bench.limits.product,
    },
  };
}

/** Our bytes a second beside what the device copies. */
export function ofCopy(bench: Bench, timing: Timing, bytes: number): { ours: OwnFigure; limit: Limit } {
  return {
    ours: { ...timing, bytes },
    limit: {
      what: 'bytes moved, beside the rate at which this device copies',
      value: bench.limits.copy / 1e9,
      unit: 'GB/s',
      fraction: bytes / (timing.ms / 1000) / bench.limits.copy,
    },
  };
}
