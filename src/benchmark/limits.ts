/**
 * What this adapter can do at best, measured in the same run as everything that is compared with it: bytes copied, multiply-adds
 * in registers, and the quickest matrix product of any weight format.
 */
import * as tf from '@tensorflow/tfjs-core';
import { submit } from '../gpu/inside';
import { probeArithmetic, probeCopy } from '../gpu/probe';
import { finished } from '../gpu/rest';
import type { BenchmarkRow, Timing } from '../protocol/benchmark';
import type { WeightFormat } from '../protocol/weightFormats';
import { productFlops } from './flops';
import { prepareOurs } from './ours';
import { productTask, type Prepared } from './task';
import { time, type Patience, type Work } from './timing';

/** Work that shows what a figure is bounded by, to be run in turns with it. */
export interface Probe {
  /** What the limit is, in words. */
  what: string;
  /** Rates come as 10⁹ a second. */
  unit: 'GFLOP/s' | 'GB/s' | 'ms';
  work: Work;
  /** Floating-point operations or bytes of one run; 1 where its time is the limit. */
  amount: number;
}

export interface Limits {
  /** The best product of the device, and a copy of many bytes. */
  product: Probe;
  copy: Probe;
  rows: BenchmarkRow[];
  dispose(): void;
}

const COPIED = 64 * 2 ** 20;
const SHAPES = [
  [512, 1024, 1024],
  [512, 896, 4864],
] as const;

export async function measureLimits(
  device: string,
  formats: readonly WeightFormat[],
  { signal, ...wish }: Patience,
  check: () => void,
): Promise<Limits> {
  // the least of a few timings counts here
  const patience = { signal, runs: Math.min(10, wish.runs), budget: wish.budget / 3 };
  const from = tf.fill([COPIED / 4], 1.5);
  const seed = tf.tensor1d([0.999, 0.5, 0.25, 0.125]);
  const copying = {
    record: () => {
      probeCopy(from, COPIED);
      submit();
    },
    finish: finished,
  };
  const copied = await time(copying, patience);
  let operations = 0;
  const arithmetic = await time(
    {
      record: () => {
        operations = probeArithmetic(seed, 1 << 16);
        submit();
      },
      finish: finished,
    },
    patience,
  );
  seed.dispose();
  check();

  let best: { rate: number; what: string; timing: Timing; amount: number; work: Prepared } | null = null;
  for (const [m, k, n] of SHAPES) {
    const task = productTask('nt', m, k, n);
    for (const format of formats) {
      const work = prepareOurs(task, format);
      const timing = await time(work, patience);
      const amount = productFlops(m, n, k);
      const rate = amount / (timing.least / 1000);
      if (best && rate <= best.rate) {
        work.dispose();
        continue;
      }
      best?.work.dispose();
      best = { rate, what: `${m} × ${k} × ${n}, ${format}`, timing, amount, work };
    }
  }
  if (!best) throw new Error('No product was timed.');
  const { work, amount } = best;
  const row = { name: 'limits' as const, device, limit: null, peers: [] };
  return {
    product: { what: 'the best product of this device', unit: 'GFLOP/s', work, amount },
    copy: {
      what: 'bytes moved, beside the rate at which this device copies',
      ...{ unit: 'GB/s', work: copying, amount: 2 * COPIED },
    },
    dispose: () => {
      work.dispose();
      from.dispose();
    },
    rows: [
      {
        ...row,
        what: 'The best matrix product of any weight format',
        shape: best.what,
        ours: { ...best.timing, gflops: best.rate / 1e9 },
      },
      { ...row, what: 'Copying bytes', shape: '64 MiB', ours: { ...copied, bytes: 2 * COPIED } },
      {
        ...row,
        what: 'Multiply-adds in registers, f32',
        shape: '65,536 threads',
        ours: { ...arithmetic, gflops: operations / (arithmetic.least / 1000) / 1e9 },
      },
    ],
  };
}
