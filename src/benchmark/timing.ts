/**
 * Times work that is recorded on the main thread and done elsewhere. Warm-up first, since drivers compile at the first submit and cards
 * are slow after a pause; then single timings, whose median counts. Short work is repeated within one timing. Decides nothing about what
 * is timed.
 */
import { restful, WARM_UP } from '../gpu/rest';
import type { Timing } from '../protocol/benchmark';
import type { Milliseconds } from '../units';

export interface Work {
  /** Records or starts the work once. */
  record(): void | Promise<void>;
  /** Resolves when all that was recorded is done. */
  finish(): Promise<void>;
}

export interface Patience {
  /** Timings wanted. */
  runs: number;
  /** Fewer are taken, three at least, where `runs` would pass this. */
  budget: Milliseconds;
  signal: AbortSignal;
}

const SHORT: Milliseconds = 20;
const FEWEST = 3;
/** A page's clock steps by 0.1 ms; nothing is taken to be shorter. */
const TICK: Milliseconds = 0.1;

export async function time(work: Work, patience: Patience): Promise<Timing> {
  return timingOf(await inTurns([work], patience), 0);
}

/** Timings of one round: for each work its own. */
export type Round = Milliseconds[][];

/**
 * Several works in turns, since a machine that others use, or that grows warm, is not equally fast for long: what is compared lies side by
 * side in each round. They come forth in one round and back in the next, so that none always follows the same other. As many rounds as the
 * slowest is wanted times; in each the others are timed more than once.
 */
export async function inTurns(works: readonly Work[], patience: Patience): Promise<Round[]> {
  const warm: Warm[] = [];
  for (const work of works) warm.push(await pace(work, patience));
  const rounds = Math.min(...warm.map(({ wanted }) => wanted()));
  const made: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const times: Round = works.map(() => []);
    const order = round % 2 === 0 ? [...warm.entries()] : [...warm.entries()].reverse();
    for (const [index, { wanted, timings }] of order)
      times[index] = await timings(Math.ceil(wanted() / rounds));
    made.push(times);
  }
  return made;
}

interface Warm {
  /** Timings that its length allows. */
  wanted(): number;
  timings(count: number): Promise<Milliseconds[]>;
}

/** Warms a work up and learns how long it takes. */
async function pace(work: Work, { runs, budget, signal }: Patience): Promise<Warm> {
  /** null where the clock measured the sleep and not the work. */
  const batch = async (count: number, rest = restful()): Promise<Milliseconds | null> => {
    signal.throwIfAborted();
    const started = performance.now();
    for (let i = 0; i < count; i++) await work.record();
    const inTime = await rest(() => work.finish());
    return inTime ? performance.now() - started : null;
  };
  let one = (await batch(1)) ?? TICK;
  const together = () => Math.max(1, Math.ceil(SHORT / Math.max(one, TICK)));
  const began = performance.now();
  do {
    const count = together();
    one = ((await batch(count)) ?? TICK * count) / count;
  } while (performance.now() - began < WARM_UP);
  const count = together();
  const rest = restful();
  let shortest = (await batch(count, rest)) ?? TICK;
  return {
    wanted: () => Math.min(runs, Math.max(FEWEST, Math.floor(budget / Math.max(shortest, TICK)))),
    async timings(wanted) {
      const times: Milliseconds[] = [];
      while (times.length < wanted) {
        const took = await batch(count, rest);
        if (took === null) continue;
        shortest = Math.min(shortest, took);
        times.push(took / count);
      }
      return times;
    },
  };
}

/** All timings of a work together. */
export const timingOf = (rounds: readonly Round[], of: number): Timing =>
  summary(rounds.flatMap((round) => round[of] ?? []));

/** How many times as long one of the works took as another: of each round the medians, and the median of all rounds. */
export const ratioIn = (rounds: readonly Round[], of: number, to: number): number =>
  summary(ratios(rounds, of, to)).ms;

/**
 * Standard error of `ratioIn`, as a part of it: the median of n numbers in order errs by as much as those √n / 2 places off lie apart from
 * it (the binomial count of numbers below it has that deviation).
 */
export function ratioError(rounds: readonly Round[], of: number, to: number): number {
  const sorted = ratios(rounds, of, to).sort((a, b) => a - b);
  const [middle, off] = [(sorted.length - 1) / 2, Math.sqrt(sorted.length) / 2];
  const at = (index: number) => sorted[Math.min(Math.max(Math.round(index), 0), sorted.length - 1)] ?? NaN;
  return (at(middle + off) - at(middle - off)) / 2 / ratioIn(rounds, of, to);
}

const ratios = (rounds: readonly Round[], of: number, to: number): number[] =>
  rounds.map((round) => summary(round[of] ?? []).ms / summary(round[to] ?? []).ms);

export function summary(times: readonly Milliseconds[]): Timing {
  if (times.length === 0) throw new Error('Nothing was timed.');
  const sorted = [...times].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  const middle = (sorted.length - 1) / 2;
  const ms = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { ms, least: at(0), most: at(sorted.length - 1), runs: sorted.length };
}
