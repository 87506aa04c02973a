/**
 * Finds the fastest design of each kind of product on this device. A candidate must first give the right numbers on a small problem;
 * only then is it timed. Knows no storage: the caller keeps the table and gives it back at the next start.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu, submit } from '../../gpu/dispatch';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Milliseconds } from '../../units';
import { linear, linearDx } from '../linear';
import type { FrozenWeight } from '../weight';
import { kindOf, preferDesign, PROCESSOR_DEPTH, suitsTall, type Design, type TunedTable } from './choose';
import { rightForm } from './right';

/** A weight to multiply with and the numbers it holds, made by the caller in the format that is tuned for. */
export interface TuneWeight {
  weight: FrozenWeight;
  /** [n, k] */
  values: Float32Array;
}

export interface Trial {
  form: 'nt' | 'nn';
  design: Design;
  /** Null for a candidate that gave wrong numbers or did not compile. */
  time: Milliseconds | null;
  /** Relative L2 to double precision on the small problem. */
  error: number;
}

export interface TuneRequest {
  /** Small: both sides at most 192. Every candidate is judged on it. */
  small: TuneWeight;
  /** As large as the products of training. */
  large: FrozenWeight;
  /** Rows of a batch. */
  rows: number;
  budget: Milliseconds;
  onTrial?: (trial: Trial) => void;
}

/** f16 tiles round both operands to 11 bits; everything else is exact to f32. */
const TOLERANCE = { f32: 1e-5, f16: 2e-3 };
/** A candidate this much slower than the best so far gets no second run. */
const HOPELESS = 1.5;
const RUNS = 4;

/** f16 tiles are for weights that are rounded already: on f32 they would be the only rounding there is. */
export function candidates(form: 'nt' | 'nn', format: WeightFormat): Design[] {
  const { software, fixedSubgroup, device } = gpu();
  const registers = (rows: number, cols: number, broadcast: number): Design => ({
    design: 'registers',
    rows,
    cols,
    broadcast,
  });
  const nt = form === 'nt';
  if (software && fixedSubgroup > 0) {
    const tall = suitsTall(rightForm(format, true));
    const most = tall ? 32 : 16;
    const sizes: [number, number][] = nt
      ? [
          [most, 4],
          [most / 2, 4],
          [16, 2],
        ]
      : [
          [most, 1],
          [most / 2, 1],
          [8, 2],
        ];
    const depth = tall ? { depth: PROCESSOR_DEPTH[form] } : {};
    return sizes.map(([rows, cols]) => ({ ...registers(rows, cols, fixedSubgroup), ...depth }));
  }
  if (software) return [registers(8, nt ? 4 : 1, 0), registers(4, nt ? 4 : 2, 0)];
  const tiled = (bm: number, bn: number, tm: number, tn: number, stage: 'f32' | 'f16'): Design => ({
    design: 'tiled',
    ...{ bm, bn, tm, tn, stage },
  });
  const rounded = format !== 'f32' && device.features.has('shader-f16');
  const stages: ('f32' | 'f16')[] = rounded ? ['f32', 'f16'] : ['f32'];
  return [
    ...stages.flatMap((stage) => [
      tiled(64, 64, 4, 4, stage),
      tiled(32, 64, 4, 4, stage),
      tiled(64, 128, 4, 8, stage),
      tiled(128, 64, 8, 4, stage),
    ]),
    registers(8, nt ? 4 : 1, 0),
  ];
}

/** Tries every candidate of both directions; returns the winners. */
export async function tuneProducts(request: TuneRequest): Promise<TunedTable> {
  const table: TunedTable = {};
  const end = performance.now() + request.budget;
  try {
    for (const form of ['nt', 'nn'] as const) {
      let best: Trial | null = null;
      for (const design of candidates(form, request.large.format)) {
        if (performance.now() > end) break;
        preferDesign((shape) => (shape.form === form && shape.vector === 4 ? design : null));
        const error = await judge(form, request.small);
        const right = error < (design.design === 'tiled' ? TOLERANCE[design.stage] : TOLERANCE.f32);
        const time = right ? await clock(form, request.large, request.rows, best?.time ?? Infinity) : null;
        const trial: Trial = { form, design, time, error };
        if (time !== null && time < (best?.time ?? Infinity)) best = trial;
        request.onTrial?.(trial);
      }
      if (best) table[kindOf(form, request.large.format)] = best.design;
    }
  } finally {
    preferDesign(null);
  }
  return table;
}

/** A row count that ends inside every tile. */
const SMALL_ROWS = 37;

/** Relative L2 to double precision; infinite for a design that this device refuses. */
async function judge(form: 'nt' | 'nn', { weight, values }: TuneWeight): Promise<number> {
  const { n, k } = weight;
  const [from, to] = form === 'nt' ? [k, n] : [n, k];
  const input = Float32Array.from({ length: SMALL_ROWS * from }, (_, i) => Math.sin(i * 0.7) + 0.1);
  const { device } = gpu();
  device.pushErrorScope('validation');
  const ours = await measure(form, weight, input, from);
  if (await device.popErrorScope()) return Infinity;
  let wrong = 0;
  let total = 0;
  for (let i = 0; i < SMALL_ROWS; i++)
    for (let j = 0; j < to; j++) {
      let sum = 0;
      for (let c = 0; c < from; c++)
        sum += (input[i * from + c] ?? NaN) * (values[form === 'nt' ? j * k + c : c * k + j] ?? NaN);
      wrong += ((ours[i * to + j] ?? NaN) - sum) ** 2;
      total += sum ** 2;
    }
  const error = Math.sqrt(wrong / total);
  return Number.isFinite(error) ? error : Infinity;
}

async function measure(
  form: 'nt' | 'nn',
  weight: FrozenWeight,
  input: Float32Array,
  width: number,
): Promise<ArrayLike<number>> {
  const result = tf.tidy(() => run(form, tf.tensor2d(input, [input.length / width, width]), weight));
  const values = await result.data();
  result.dispose();
  return values;
}

function run(form: 'nt' | 'nn', input: tf.Tensor, weight: FrozenWeight): tf.Tensor {
  return form === 'nt' ? linear(input, weight) : linearDx(input, weight);
}

/** The best of a few runs, the first of which compiles and is not counted. */
async function clock(
  form: 'nt' | 'nn',
  weight: FrozenWeight,
  rows: number,
  best: Milliseconds,
): Promise<Milliseconds> {
  const input = tf.ones([rows, form === 'nt' ? weight.k : weight.n]);
  let least = Infinity;
  for (let i = 0; i <= RUNS; i++) {
    const began = performance.now();
    tf.tidy(() => void run(form, input, weight));
    submit();
    await gpu().device.queue.onSubmittedWorkDone();
    if (i > 0) least = Math.min(least, performance.now() - began);
    if (i > 0 && least > HOPELESS * best) break;
  }
  input.dispose();
  return least;
}
