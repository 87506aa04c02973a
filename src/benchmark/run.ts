/** Runs the benchmarks that are asked for, one after the other, on the engine that is running. A failure of one is a row of it. */
import type { Engine } from '../gpu/backend';
import type { BenchmarkName, BenchmarkRow } from '../protocol/benchmark';
import { WEIGHT_FORMATS, type WeightFormat } from '../protocol/weightFormats';
import type { Bench } from './bench';
import { drift } from './drift';
import { measureLimits } from './limits';
import { decode } from './decode';
import { load } from './load';
import { step } from './step';
import { stock } from './stock';
import type { Peer } from './task';
import { adamw, attention, head, layer, matmul } from './tasks';
import type { Patience } from './timing';

const BENCHES: Record<BenchmarkName, (bench: Bench) => Promise<void>> = {
  ...{ matmul, layer, head, adamw, attention, step, decode, load, drift },
};

export interface Listener {
  row(row: BenchmarkRow): void;
  /** What is being measured from now on. */
  now(what: string): void;
}

/** What is made is told to `listener`. `peers` come after TensorFlow.js, which is always there. The limits are those of all formats. */
export async function runBenchmarks(
  engine: Engine,
  names: readonly BenchmarkName[],
  peers: readonly Peer[],
  patience: Patience,
  listener: Listener,
  formats: readonly WeightFormat[] = WEIGHT_FORMATS,
): Promise<void> {
  if (!engine.gpu) throw new Error('Benchmarks need WebGPU, and this browser offers none.');
  const device = engine.gpu.name;
  const check = () => engine.check();
  const { row: emit, now } = listener;
  now('what this device can do at best');
  const limits = await measureLimits(device, WEIGHT_FORMATS, patience, check);
  check();
  limits.rows.forEach(emit);
  const bench = { device, limits, peers: [stock, ...peers], formats, patience, emit, now, check };
  try {
    for (const name of names) await one(bench, name);
  } finally {
    limits.dispose();
  }
}

async function one(bench: Bench, name: BenchmarkName): Promise<void> {
  const { patience, device, emit } = bench;
  patience.signal.throwIfAborted();
  try {
    await BENCHES[name](bench);
  } catch (error) {
    patience.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    const nothing = { shape: '', device, ours: null, limit: null, peers: [] };
    emit({ name, what: 'Not measured to the end', ...nothing, reason });
  }
}
