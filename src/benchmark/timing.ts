/**
 * Times work that is recorded on the main thread and done elsewhere. Warm-up first, since drivers compile at the first submit;
 * then single timings, whose median counts. Short work is repeated within one timing. Decides nothing about what is timed.
 */
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
/** Part of the expected time that is slept through. */
const REST = 0.85;

export async function time(work: Work, { runs, budget, signal }: Patience): Promise<Timing> {
  let expected: Milliseconds = 0;
  /** null where the work was over before the sleep was: then the clock measured the sleep. */
  const batch = async (count: number): Promise<Milliseconds | null> => {
    signal.throwIfAborted();
    const started = performance.now();
    for (let i = 0; i < count; i++) await work.record();
    // Dawn in Node waits by spinning, which takes a core from a processor driver: sleep through most of it
    const rest = REST * expected - (performance.now() - started);
    if (rest > 1) await new Promise((resolve) => setTimeout(resolve, rest));
    const woken = performance.now();
    await work.finish();
    const ended = performance.now();
    const took = ended - started;
    if (rest > 1 && ended - woken < 0.3 * (1 - REST) * took) {
      expected *= 0.6;
      return null;
    }
    expected = expected === 0 ? took : Math.min(expected, took);
    return took;
  };
  await batch(1);
  expected = 0;
  const first = (await batch(1)) ?? TICK;
  const count = Math.max(1, Math.ceil(SHORT / Math.max(first, TICK)));
  expected = 0;
  await batch(count);
  const wanted = () => Math.min(runs, Math.max(FEWEST, Math.floor(budget / Math.max(expected, TICK))));
  const times: Milliseconds[] = [];
  while (times.length < wanted()) {
    const took = await batch(count);
    if (took !== null) times.push(took / count);
  }
  return summary(times);
}

export function summary(times: readonly Milliseconds[]): Timing {
  if (times.length === 0) throw new Error('Nothing was timed.');
  const sorted = [...times].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  const middle = (sorted.length - 1) / 2;
  const ms = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { ms, least: at(0), most: at(sorted.length - 1), runs: sorted.length };
}
