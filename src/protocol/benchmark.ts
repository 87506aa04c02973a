/**
 * What a benchmark and the self-test say, as plain data: one row for each figure, beside its limit and its peers. The page,
 * `npm run bench` and its JSON file all read this. Measures nothing.
 */
import type { Bytes, Milliseconds } from '../units';
import type { Verdict, Way } from './detours';
import type { WeightFormat } from './weightFormats';

export const BENCHMARKS = [
  'matmul',
  'layer',
  'head',
  'adamw',
  'attention',
  'step',
  'decode',
  'load',
  'drift',
] as const;
export type BenchmarkName = (typeof BENCHMARKS)[number];

/** Median, least and most of `runs` timings after a warm-up. */
export interface Timing {
  ms: Milliseconds;
  least: Milliseconds;
  most: Milliseconds;
  runs: number;
}

export interface OwnFigure extends Timing {
  /** 10⁹ floating-point operations a second, counted over the operations the mathematics asks for. */
  gflops?: number;
  tokensPerSecond?: number;
  /** Bytes read and written, or held: `limit.what` says which. */
  bytes?: Bytes;
}

/** What bounds a figure on this adapter, measured in the same run. */
export interface Limit {
  what: string;
  value: number;
  unit: string;
  /** Of the limit, 0 to 1 and above where our figure beats what the limit was measured with. */
  fraction: number;
}

export interface PeerFigure {
  peer: string;
  version: string;
  /** null where it was not timed; `note` says why. */
  ms: Milliseconds | null;
  /** Its time / ours, timed in turns: the median of all rounds. */
  ratio: number | null;
  /** null where it did not run. */
  correct: boolean | null;
  /** Its largest relative L2 distance: from the twins on the processor at a small size, and from ours at this one. */
  relL2: number | null;
  note?: string;
}

export interface BenchmarkRow {
  name: BenchmarkName | 'limits';
  /** In plain words. */
  what: string;
  shape: string;
  device: string;
  /** null where it could not be measured; `reason` says why. */
  ours: OwnFigure | null;
  limit: Limit | null;
  peers: PeerFigure[];
  /** Further numbers of the same measurement, by name. */
  details?: Record<string, number>;
  reason?: string;
}

/** One way to make a product, tried on this device. */
export interface KernelTrial {
  /** The two directions of training; the forward one of generation, for one sequence and for several at once. */
  product: 'forward' | 'backward' | 'next token' | 'next tokens of several';
  format: WeightFormat;
  /** In words. */
  design: string;
  /** Of the best of a few runs; null for one that gave wrong numbers or was refused. */
  time: Milliseconds | null;
  /** Relative L2 to double precision on a small product. */
  error: number;
  /** Whether training or generation uses it from now on. */
  chosen: boolean;
}

export interface KernelReport {
  device: string;
  trials: KernelTrial[];
}

export interface SelfTestCheck {
  /** A weight format, or 'operations' for kernels one by one. */
  part: string;
  check: string;
  error: number;
  tolerance: number;
  ok: boolean;
  /** Of an operation: what was tried in the place of the usual way; absent for that itself. */
  way?: Way;
}

export interface SelfTestReport {
  device: string;
  features: string[];
  checks: SelfTestCheck[];
  /** Kernels that ran, by name. */
  kernels: string[];
  /** Operations whose usual kernel does not agree with its twin. */
  broken: string[];
  verdict: Verdict;
}
