/**
 * Finds the fastest design of each kind of product on this device. A candidate must first give the right numbers on a small problem;
 * only then is it timed. Knows no storage: the caller keeps the table and gives it back at the next start.
 */
import * as tf from '@tensorflow/tfjs-core';
import { repeated } from '../../gpu/dispatch';
import { gpu, submit } from '../../gpu/inside';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Milliseconds } from '../../units';
import { linear, linearDx } from '../linear';
import type { FrozenWeight } from '../weight';
import {
  FEW_ROWS,
  kindOf,
  preferDesign,
  PROCESSOR_DEPTH,
  suitsTall,
  type Design,
  type RowCount,
  type TunedTable,
} from './choose';
import { inBlocks } from './blocks';
import { rightForm } from './right';

/** A weight to multiply with and the numbers it holds, made by the caller in the format that is tuned for. */
export interface TuneWeight {
  weight: FrozenWeight;
  /** [n, k] */
  values: Float32Array;
}

/** A kind of product: in training both directions, in generation forward for one sequence or for several. */
export interface TunedKind {
  form: 'nt' | 'nn';
  rows: RowCount;
}
export const KINDS: readonly TunedKind[] = [
  { form: 'nt', rows: 'many' },
  { form: 'nn', rows: 'many' },
  { form: 'nt', rows: 'one' },
  { form: 'nt', rows: 'few' },
];

export interface Trial extends TunedKind {
  design: Design;
  /** Null for a candidate that gave wrong numbers or did not compile. */
  time: Milliseconds | null;
  /** Relative L2 to double precision on the small problem. */
  error: number;
}

/** A trial as it is told of: when all of its kind are done. */
export interface JudgedTrial extends Trial {
  /** Whether this is the design that is taken. */
  chosen: boolean;
}

export interface TuneRequest {
  /** Small: both sides at most 192. Every candidate is judged on it. */
  small: TuneWeight;
  /** As large as those of training, wide and narrow ones: what counts is the time of all together. */
  large: readonly FrozenWeight[];
  /** Rows of a batch in training. */
  rows: number;
  budget: Milliseconds;
  onTrial?: (trial: JudgedTrial) => void;
  signal?: AbortSignal;
}

/** f16 tiles round both operands to 11 bits; everything else is exact to f32. */
const TOLERANCE = { f32: 1e-5, f16: 2e-3 };
/** A candidate this much slower than the best so far gets no second run. */
const HOPELESS = 1.5;
const RUNS = 4;
/** What is built in stays where nothing is faster by more than this. */
const CLEARLY = 1.05;
/** Candidates within this of the fastest are timed again, so many times. */
const CLOSE = 1.3;
const TURNS = 2;
/** A timing lasts this long at least: the wait for its end alone takes a millisecond or two, now more, now less. */
const LASTING: Milliseconds = 8;
const MOST_REPEATS = 1024;

const registers = (rows: number, cols: number, broadcast: number): Design => ({
  design: 'registers',
  ...{ rows, cols, broadcast },
});
const tiled = (
  [bm, bn, tm, tn]: [bm: number, bn: number, tm: number, tn: number],
  stage: 'f32' | 'f16' = 'f32',
  more: { depth?: number; ahead?: boolean; enough?: number } = {},
): Design => ({ design: 'tiled', ...{ bm, bn, tm, tn, stage, ...more } });
const reduce = (rows: number, cols: number, lanes: number, subgroup = false): Design => ({
  design: 'reduce',
  ...{ rows, cols, lanes, subgroup },
});

/** What is built in (choose.ts) comes first. */
export function candidates({ form, rows }: TunedKind, format: WeightFormat): Design[] {
  return rows === 'many' ? forTraining(form, format) : forGeneration(rows === 'one' ? 1 : FEW_ROWS, format);
}

/** f16 tiles are for weights that are rounded already: on f32 they would be the only rounding there is. */
function forTraining(form: 'nt' | 'nn', format: WeightFormat): Design[] {
  const { software, fixedSubgroup, device } = gpu();
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
    const depth = tall ? { depth: PROCESSOR_DEPTH } : {};
    return sizes.map(([rows, cols]) => ({ ...registers(rows, cols, fixedSubgroup), ...depth }));
  }
  if (software) return [registers(8, nt ? 4 : 1, 0), registers(4, nt ? 4 : 2, 0)];
  const rounded = format !== 'f32' && device.features.has('shader-f16');
  const ahead = { ahead: true };
  return [
    tiled([64, 64, 8, 4], 'f32', ahead),
    // a card with few units is busy with few groups, and spares itself the adding up
    tiled([64, 64, 8, 4], 'f32', { ...ahead, enough: 0 }),
    tiled([64, 64, 4, 4]),
    tiled([64, 64, 4, 8], 'f32', ahead),
    tiled([128, 64, 8, 8], 'f32', ahead),
    tiled([32, 64, 4, 4], 'f32', ahead),
    ...(rounded
      ? [
          tiled([64, 64, 4, 4], 'f16', ahead),
          tiled([64, 64, 4, 8], 'f16', { depth: 8 }),
          tiled([128, 64, 8, 8], 'f16', ahead),
        ]
      : []),
    registers(8, nt ? 4 : 1, 0),
  ];
}

/** Every candidate reads the weight once for all rows. */
function forGeneration(rows: number, format: WeightFormat): Design[] {
  const { software, fixedSubgroup } = gpu();
  if (software && fixedSubgroup > 0) {
    const along = reduce(rows, rows === 1 ? 8 : 4, fixedSubgroup, true);
    const [wide, narrow] = [registers(rows, 4, fixedSubgroup), registers(rows, 2, fixedSubgroup)];
    if (rows > 1) return [wide, along, narrow];
    if (!inBlocks(rightForm(format, true))) return [along, wide, narrow];
    return [...[narrow, wide].map((one) => ({ ...one, blocks: true })), along];
  }
  if (software) return [registers(rows, 4, 0), registers(rows, 2, 0)];
  // the sums of all lanes must fit into 16 KB of workgroup memory
  return rows === 1
    ? [reduce(1, 4, 128), reduce(1, 8, 64), reduce(1, 4, 64), reduce(1, 2, 64), reduce(1, 4, 32)]
    : [
        reduce(rows, 4, 64),
        reduce(rows, 2, 64),
        reduce(rows, 8, 32),
        reduce(rows, 4, 32),
        tiled([rows, 64, 2, 4]),
      ];
}

/** Tries every candidate of every kind; returns the winners. */
export async function tuneProducts(request: TuneRequest): Promise<TunedTable> {
  const table: TunedTable = {};
  const began = performance.now();
  try {
    for (const [index, kind] of KINDS.entries()) {
      // a kind that needs less leaves the rest to those after it
      const end = began + (request.budget * (index + 1)) / KINDS.length;
      const trials = await tryAll(kind, request, end);
      const winner = winnerOf(trials);
      trials.forEach((trial) => request.onTrial?.({ ...trial, chosen: trial === winner }));
      if (winner) table[kindOf(kind.form, request.small.weight.format, kind.rows)] = winner.design;
    }
  } finally {
    preferDesign(null);
  }
  return table;
}

/** Null where none was right. The first is what is built in: another must be clearly faster, or noise would choose. */
export function winnerOf(trials: readonly Trial[]): Trial | null {
  const timed = trials.filter(({ time }) => time !== null);
  const least = Math.min(...timed.map(({ time }) => time ?? Infinity));
  const [first] = trials;
  if (first && first.time !== null && first.time <= CLEARLY * least) return first;
  return timed.find(({ time }) => time === least) ?? null;
}

async function tryAll(kind: TunedKind, request: TuneRequest, end: Milliseconds): Promise<Trial[]> {
  const trials: Trial[] = [];
  let least = Infinity;
  for (const design of candidates(kind, request.small.weight.format)) {
    request.signal?.throwIfAborted();
    if (performance.now() > end) break;
    prefer(kind, design);
    const error = await judge(kind, request.small);
    const right = error < (design.design === 'tiled' ? TOLERANCE[design.stage] : TOLERANCE.f32);
    const time = right ? await clock(kind, request, least) : null;
    trials.push({ ...kind, design, time, error });
    least = Math.min(least, time ?? Infinity);
  }
  // a card's clock falls while kernels are compiled and rises while it works: those that are close go again, in turns and without a gap
  const close = trials.filter(({ time }) => time !== null && time < CLOSE * least);
  for (let turn = 0; turn < TURNS; turn++)
    for (const trial of close) {
      request.signal?.throwIfAborted();
      if (performance.now() > end) return trials;
      prefer(kind, trial.design);
      trial.time = Math.min(trial.time ?? Infinity, await clock(kind, request, Infinity));
    }
  return trials;
}

function prefer({ form }: TunedKind, design: Design): void {
  preferDesign((shape) => (shape.form === form && shape.vector === 4 ? design : null));
}

/** Row counts on which candidates are judged; many and few end inside every tile. */
const SMALL_ROWS = { many: 37, few: FEW_ROWS - 1, one: 1 };

/** Relative L2 to double precision; infinite for a design that this device refuses. */
async function judge({ form, rows }: TunedKind, { weight, values }: TuneWeight): Promise<number> {
  const { n, k } = weight;
  const count = SMALL_ROWS[rows];
  const [from, to] = form === 'nt' ? [k, n] : [n, k];
  const input = Float32Array.from({ length: count * from }, (_, i) => Math.sin(i * 0.7) + 0.1);
  const { device } = gpu();
  device.pushErrorScope('validation');
  const ours = await measure(form, weight, input, from);
  if (await device.popErrorScope()) return Infinity;
  let wrong = 0;
  let total = 0;
  for (let i = 0; i < count; i++)
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
  { form, rows }: TunedKind,
  { large, rows: batch }: TuneRequest,
  best: Milliseconds,
): Promise<Milliseconds> {
  const count = { many: batch, few: FEW_ROWS, one: 1 }[rows];
  const products = large.map((weight) => ({
    weight,
    input: tf.ones([count, form === 'nt' ? weight.k : weight.n]),
  }));
  const timed = async (repeats: number): Promise<Milliseconds> => {
    const began = performance.now();
    repeated(repeats, () => tf.tidy(() => products.forEach(({ weight, input }) => run(form, input, weight))));
    submit();
    await gpu().device.queue.onSubmittedWorkDone();
    return performance.now() - began;
  };
  try {
    await timed(1);
    let repeats = 1;
    let took = await timed(repeats);
    while (took < LASTING && repeats < MOST_REPEATS) took = await timed((repeats *= 4));
    let least = took;
    for (let i = 1; i < RUNS && least / repeats <= HOPELESS * best; i++)
      least = Math.min(least, await timed(repeats));
    return least / repeats;
  } finally {
    products.forEach(({ input }) => input.dispose());
  }
}
