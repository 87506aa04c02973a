/**
 * What every benchmark is given, and the way a task becomes rows: ours is judged by the twins on the processor, peers by both,
 * and only what is right is timed, in turns.
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
import type { Limits, Probe } from './limits';
import { prepareOurs } from './ours';
import type { Peer, PieceTask, Prepared, Task } from './task';
import { inTurns, ratioIn, timingOf, type Patience, type Round } from './timing';

export interface Bench {
  device: string;
  limits: Limits;
  peers: readonly Peer[];
  formats: readonly WeightFormat[];
  patience: Patience;
  emit(row: BenchmarkRow): void;
  /** Says what is being measured from now on. */
  now(what: string): void;
  /** Throws when the device reported an error. */
  check(): void;
}

export interface Case {
  name: BenchmarkName;
  what: string;
  shape: string;
  /** Of the same kind, small enough for the twins on the processor. */
  small: PieceTask;
  task: PieceTask;
  /** Those tried here; empty for a task without weights, which is then done in f32. */
  formats: readonly WeightFormat[];
  /** Each format by itself beside the peers, since the weights of all of them are too large to lie in memory at once. */
  apart?: boolean;
  figure(timing: Timing): OwnFigure;
  bound: Bound;
}

/** What a figure is held against: as much of what the probe does as the work does in one run. */
export interface Bound {
  probe: Probe;
  amount: number;
}

const PEER_TOLERANCE = 1e-4;
/** f32 as for peers; a packed format is decoded by the kernel as the twin decodes it, up to half precision. */
const toleranceOf = (format: WeightFormat) => (format === 'f32' ? 1e-4 : 2e-3);

export async function compare(bench: Bench, one: Case): Promise<void> {
  const { formats, task, small, ...rest } = one;
  bench.now(`${rest.what}, ${rest.shape}`);
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
  const expected = await once(prepareOurs(task, 'f32'));
  bench.check();
  for (const together of rest.apart ? wanted.map((format) => [format]) : [wanted])
    await compareTogether(bench, one, together, expected);
}

/** `together`: the formats that lie in memory at once. `expected`: what is right at full size. */
async function compareTogether(
  bench: Bench,
  { name, what, shape, small, task, formats, figure, bound }: Case,
  together: readonly WeightFormat[],
  expected: ArrayLike<number>[],
): Promise<void> {
  const ours: Prepared[] = [];
  try {
    for (const format of together) ours.push(prepareOurs(task, format));
    const { rounds, peers } = await besidePeers(bench, { small, task, expected, ours, probe: bound.probe });
    together.forEach((format, index) => {
      const against = peers.map(({ ratios, ...peer }) => ({ ...peer, ratio: ratios[index] ?? null }));
      bench.emit({
        ...{ name, what, device: bench.device },
        shape: formats.length > 0 ? `${shape}, ${format}` : shape,
        ours: figure(timingOf(rounds, index)),
        limit: limitOf(bound, rounds, { of: index, at: ours.length }),
        peers: against,
      });
    });
  } finally {
    for (const work of ours) work.dispose();
  }
}

/** A task at the size that is measured, and of the same kind but small enough for the twins on the processor. */
interface Trial<T extends Task> {
  small: T;
  task: T;
}

/** What is right of the small task, and of the other. */
interface Right {
  truth(): Promise<ArrayLike<number>[]>;
  expected(): Promise<ArrayLike<number>[]>;
}

interface Contest extends Trial<PieceTask> {
  /** What is right at full size. */
  expected: ArrayLike<number>[];
  /** Ours, one for each format. */
  ours: readonly Prepared[];
  probe: Probe;
}

/** A peer and, for each of ours, its time / ours; none where it was not timed. */
type Against = Omit<PeerFigure, 'ratio'> & { ratios: number[] };

/** All of ours and what bounds them, in turns with each peer that is right. → the rounds (ours, then the probe), and the peers. */
async function besidePeers(
  bench: Bench,
  { ours, probe, ...contest }: Contest,
): Promise<{ rounds: Round[]; peers: Against[] }> {
  const works = [...ours, probe.work];
  const all: Round[] = [];
  const truth = await onProcessor(() => once(prepareOurs(contest.small, 'f32')));
  const peers: Against[] = [];
  for (const peer of bench.peers) {
    bench.patience.signal.throwIfAborted();
    const right = { truth: async () => truth, expected: async () => contest.expected };
    const { work, ...judged } = await judge(peer, contest, right);
    const figure = { ...judged, ms: null, ratios: [] };
    if (!work) peers.push(figure);
    else {
      const rounds = await inTurns([...works, work], bench.patience);
      all.push(...rounds);
      const { ms, least, most, runs } = timingOf(rounds, works.length);
      const [from, to] = [least, most].map((time) => Number(time.toPrecision(3)).toLocaleString('en-US'));
      const note = `${from} to ${to} ms in ${runs} runs`;
      const ratios = ours.map((_, index) => ratioIn(rounds, works.length, index));
      peers.push({ ...figure, ms, ratios, note });
      work.dispose();
    }
    bench.check();
  }
  if (all.length === 0) all.push(...(await inTurns(works, bench.patience)));
  bench.check();
  return { rounds: all, peers };
}

/** A peer that was asked. `work`: what may be timed, null where it cannot do the task or is wrong. */
export type Judged = Omit<PeerFigure, 'ms' | 'ratio'> & { work: Prepared | null };

/** A peer is asked at both sizes, and held against what is right if it can do the task. */
export async function judge(
  { name, version, prepare }: Peer,
  { small, task }: Trial<Task>,
  { truth, expected }: Right,
): Promise<Judged> {
  const who = { peer: name, version };
  const little = await prepare(small);
  const large = typeof little === 'string' ? little : await prepare(task);
  if (typeof little === 'string' || typeof large === 'string') {
    const why = [little, large].find((one) => typeof one === 'string');
    return { ...who, work: null, correct: null, relL2: null, note: `not run: ${why ?? 'no reason given'}` };
  }
  const errors = [
    distance(await once(little), await truth()),
    distance(await large.read(), await expected()),
  ];
  const relL2 = errors.some(Number.isNaN) ? NaN : Math.max(...errors);
  if (relL2 <= PEER_TOLERANCE) return { ...who, work: large, correct: true, relL2 };
  large.dispose();
  return { ...who, work: null, correct: false, relL2, note: 'wrong, so not timed' };
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

/** Work `of` of the rounds beside its bound, whose probe is work `at` of them. */
export function limitOf(
  { probe, amount }: Bound,
  rounds: readonly Round[],
  { of, at }: { of: number; at: number },
): Limit {
  const { what, unit } = probe;
  const { ms } = timingOf(rounds, at);
  return {
    ...{ what, unit, value: unit === 'ms' ? ms : probe.amount / ms / 1e6 },
    fraction: amount / probe.amount / ratioIn(rounds, of, at),
  };
}

export const withFlops = (timing: Timing, flops: number): OwnFigure => ({
  ...timing,
  gflops: flops / timing.ms / 1e6,
});
