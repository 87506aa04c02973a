/**
 * Finds the fastest design of each kind of product on this device. A candidate must first give the right numbers on a small problem;
 * only then is it timed. Knows no storage: the caller keeps the table and gives it back at the next start.
 */
import * as tf from '@tensorflow/tfjs-core';
import { repeated } from '../../gpu/dispatch';
import { gpu, submit } from '../../gpu/inside';
import { rehearse } from '../../gpu/rehearsal';
import { WARM_UP } from '../../gpu/rest';
import type { Milliseconds } from '../../units';
import { linear, linearDx } from '../linear';
import type { FrozenWeight } from '../weight';
import { candidates, KINDS, type TunedKind } from './candidates';
import { FEW_ROWS, kindOf, preferDesign, type Design, type TunedTable } from './choose';

/** A weight to multiply with and the numbers it holds, made by the caller in the format that is tuned for. */
export interface TuneWeight {
  weight: FrozenWeight;
  /** [n, k] */
  values: Float32Array;
}

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
/** The parts of the time after which candidates are no longer waited for, and no longer judged. */
const MAKING = 0.4;
const JUDGED = 0.6;
const RUNS = 3;
/** What is built in stays where nothing is faster by more than this. */
const CLEARLY = 1.05;
/** Candidates within this of the fastest are timed again, until all have had so many turns. */
const CLOSE = 1.3;
const TURNS = 3;
/** A timing lasts this long at least: the wait for its end alone takes a millisecond or two, now more, now less. */
const LASTING: Milliseconds = 8;
const MOST_REPEATS = 1024;

/** One kind of product: what is tried and what came of it. */
interface Search {
  kind: TunedKind;
  designs: readonly Design[];
  products: readonly TimedProduct[];
  trials: Trial[];
}

/** Tries every candidate of every kind; returns the winners. */
export async function tuneProducts(request: TuneRequest): Promise<TunedTable> {
  const { budget, small, signal, onTrial } = request;
  const { format } = small.weight;
  const table: TunedTable = {};
  const began = performance.now();
  const searches: Search[] = KINDS.map((kind) => ({
    ...{ kind, designs: candidates(kind, format), trials: [] },
    products: productsOf(kind, request),
  }));
  /** A kind that needs less leaves the rest to those after it. */
  const each = async (part: number, work: (search: Search, end: Milliseconds) => Promise<void>) => {
    const start = performance.now();
    const left = began + part * budget - start;
    for (const [index, search] of searches.entries())
      await work(search, start + (left * (index + 1)) / searches.length);
  };
  try {
    await makeAll(searches, small, began + MAKING * budget);
    await each(JUDGED, (search, end) => judgeAll(search, small, end, signal));
    // a card's clock falls while kernels are compiled and judged and rises while it works: all are timed without a gap
    await warmUp(searches);
    await each(1, async (search, end) => {
      const { kind, trials } = search;
      await timeInTurns(search, end, signal);
      const winner = winnerOf(trials);
      // what there was no time for is not told of
      for (const trial of trials)
        if (trial.time !== null || !isRight(trial)) onTrial?.({ ...trial, chosen: trial === winner });
      if (winner) table[kindOf(kind.form, format, kind.rows)] = winner.design;
    });
  } finally {
    preferDesign(null);
    for (const { products } of searches) products.forEach(({ input }) => input.dispose());
  }
  return table;
}

/** Asks for the pipelines of all candidates at once: a driver compiles several side by side. */
async function makeAll(
  searches: readonly Search[],
  { weight }: TuneWeight,
  until: Milliseconds,
): Promise<void> {
  const { device } = gpu();
  device.pushErrorScope('validation');
  const { ready } = rehearse(() => {
    for (const { kind, designs, products } of searches)
      for (const design of designs) {
        prefer(kind, design);
        const { form, rows } = kind;
        run(form, tf.ones([SMALL_ROWS[rows], form === 'nt' ? weight.k : weight.n]), weight);
        for (const { weight: large, input } of products) run(form, input, large);
      }
  });
  // one that cannot be made is told of when it is judged; what is not there in time is made then
  const made = ready(() => undefined).catch(() => undefined);
  const late = new Promise((resolve) => setTimeout(resolve, Math.max(0, until - performance.now())));
  await Promise.race([made, late]);
  await device.popErrorScope();
}

/** Tries the candidates on the small problem; those that are right run once on the large ones. */
async function judgeAll(
  { kind, designs, products, trials }: Search,
  small: TuneWeight,
  end: Milliseconds,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const design of designs) {
    signal?.throwIfAborted();
    if (trials.length > 0 && performance.now() > end) return;
    prefer(kind, design);
    const trial = { ...kind, design, time: null, error: await judge(kind, small) };
    trials.push(trial);
    if (isRight(trial)) await clock(kind.form, products, 1);
  }
}

function isRight({ design, error }: Trial): boolean {
  return error < (design.design === 'tiled' ? TOLERANCE[design.stage] : TOLERANCE.f32);
}

async function warmUp(searches: readonly Search[]): Promise<void> {
  const [first] = searches;
  const [built] = first?.trials ?? [];
  if (!first || !built || !isRight(built)) return;
  prefer(first.kind, built.design);
  const warm = performance.now() + (gpu().software ? 0 : WARM_UP);
  do await clock(first.kind.form, first.products, 1);
  while (performance.now() < warm);
}

/** Fills in the times; those that are not close to the fastest are timed once. */
async function timeInTurns(
  { kind, products, trials }: Search,
  end: Milliseconds,
  signal: AbortSignal | undefined,
): Promise<void> {
  let close = trials.filter(isRight);
  const [first] = close;
  for (let turn = 0; turn < TURNS; turn++) {
    for (const trial of close) {
      signal?.throwIfAborted();
      // one is timed in any case
      if ((trial !== first || turn > 0) && performance.now() > end) return;
      prefer(kind, trial.design);
      trial.time = Math.min(trial.time ?? Infinity, await bestOf(kind.form, products));
    }
    const least = Math.min(...close.map(({ time }) => time ?? Infinity));
    close = close.filter(({ time }) => time !== null && time < CLOSE * least);
  }
}

/** Null where none was right. The first is what is built in: another must be clearly faster, or noise would choose. */
export function winnerOf(trials: readonly Trial[]): Trial | null {
  const timed = trials.filter(({ time }) => time !== null);
  const least = Math.min(...timed.map(({ time }) => time ?? Infinity));
  const [first] = trials;
  if (first && first.time !== null && first.time <= CLEARLY * least) return first;
  return timed.find(({ time }) => time === least) ?? null;
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

interface TimedProduct {
  weight: FrozenWeight;
  input: tf.Tensor;
}

function productsOf({ form, rows }: TunedKind, { large, rows: batch }: TuneRequest): TimedProduct[] {
  const count = { many: batch, few: FEW_ROWS, one: 1 }[rows];
  return large.map((weight) => ({
    weight,
    input: tf.ones([count, form === 'nt' ? weight.k : weight.n]),
  }));
}

/** How long all products take together, run `repeats` times. */
async function clock(
  form: 'nt' | 'nn',
  products: readonly TimedProduct[],
  repeats: number,
): Promise<Milliseconds> {
  const began = performance.now();
  repeated(repeats, () => tf.tidy(() => products.forEach(({ weight, input }) => run(form, input, weight))));
  submit();
  await gpu().device.queue.onSubmittedWorkDone();
  return performance.now() - began;
}

/** The best of a few runs that last long enough. */
async function bestOf(form: 'nt' | 'nn', products: readonly TimedProduct[]): Promise<Milliseconds> {
  let repeats = 1;
  let least = await clock(form, products, repeats);
  while (least < LASTING && repeats < MOST_REPEATS) least = await clock(form, products, (repeats *= 4));
  for (let i = 1; i < RUNS; i++) least = Math.min(least, await clock(form, products, repeats));
  return least / repeats;
}
