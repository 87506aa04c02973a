/** Benchmarks and the self-test as the page shows them: what was chosen, rows and checks as they come, and what went wrong. */
import type { TrainerApi } from '../protocol/trainerApi';
import {
  BENCHMARKS,
  type BenchmarkName,
  type BenchmarkRow,
  type KernelTrial,
  type SelfTestCheck,
  type SelfTestReport,
} from '../protocol/benchmark';
import type { Verdict } from '../protocol/detours';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

/** Quick and without a large model. */
const USUAL: readonly BenchmarkName[] = ['matmul', 'layer', 'attention', 'adamw'];

export class BenchmarkState {
  working: 'benchmark' | 'self-test' | 'kernels' | null = $state(null);
  chosen: BenchmarkName[] = $state([...USUAL]);
  rows = $state.raw<readonly BenchmarkRow[]>([]);
  /** What is being measured, in words. */
  now = $state('');
  checks = $state.raw<readonly SelfTestCheck[]>([]);
  report = $state.raw<SelfTestReport | null>(null);
  /** Of the last whole self-test on this device, which may be one of an earlier visit. */
  verdict = $state.raw<Verdict | null>(null);
  /** Kernels tried, as they come. */
  trials = $state.raw<readonly KernelTrial[]>([]);
  /** Every kernel was tried, and the fastest are in use. */
  tuned = $state(false);
  failure = $state.raw<Failure | null>(null);
  /** Rows came to an end by themselves. */
  complete = $state(false);
  #ticket = 0;

  constructor(private readonly remote: TrainerApi) {}

  /** What was found at an earlier visit. */
  async load(): Promise<void> {
    try {
      const kept = await this.remote.verdict();
      if (kept.ok) this.verdict ??= kept.value;
      else this.failure = kept.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Asking for the verdict on this device');
    }
  }

  choose(name: BenchmarkName, wanted: boolean): void {
    this.chosen = BENCHMARKS.filter((one) => (one === name ? wanted : this.chosen.includes(one)));
  }

  async measure(): Promise<void> {
    if (this.working !== null || this.chosen.length === 0) return;
    this.rows = [];
    this.now = '';
    this.complete = false;
    const names = [...this.chosen];
    await this.#work('benchmark', 'The benchmark', async (fresh) => {
      let whole = false; // rows come by a way of their own and may be later than the whole of them
      const result = await this.remote.benchmark(
        names,
        (row) => {
          if (fresh() && !whole) this.rows = [...this.rows, row];
        },
        (what) => {
          if (fresh()) this.now = what;
        },
      );
      if (!fresh()) return;
      if (!result.ok) this.failure = result.failure;
      else {
        whole = true;
        this.rows = result.value;
        this.complete = true;
      }
    });
  }

  async selfTest(): Promise<void> {
    if (this.working !== null) return;
    this.checks = [];
    this.report = null;
    await this.#work('self-test', 'The self-test', async (fresh) => {
      const result = await this.remote.selfTest((check) => {
        if (fresh()) this.checks = [...this.checks, check];
      });
      if (!fresh()) return;
      if (!result.ok) this.failure = result.failure;
      else {
        this.report = result.value;
        this.verdict = result.value.verdict;
        this.checks = result.value.checks;
      }
    });
  }

  async tune(): Promise<void> {
    if (this.working !== null) return;
    this.trials = [];
    this.tuned = false;
    await this.#work('kernels', 'The search for the fastest kernels', async (fresh) => {
      const result = await this.remote.tune((trial) => {
        if (fresh()) this.trials = [...this.trials, trial];
      });
      if (!fresh()) return;
      if (!result.ok) this.failure = result.failure;
      else {
        this.trials = result.value.trials;
        this.tuned = true;
      }
    });
  }

  /** What was measured so far stays. The worker ends at its next timing. */
  async cancel(): Promise<void> {
    if (this.working === null) return;
    this.#ticket++;
    await this.remote.cancel();
  }

  get json(): string {
    return JSON.stringify(this.rows, null, 2);
  }

  async #work(
    what: 'benchmark' | 'self-test' | 'kernels',
    doing: string,
    work: (fresh: () => boolean) => Promise<void>,
  ): Promise<void> {
    const ticket = ++this.#ticket;
    this.working = what;
    this.failure = null;
    try {
      await work(() => ticket === this.#ticket);
    } catch (thrown) {
      this.failure = failureFrom(thrown, doing);
    } finally {
      this.working = null;
    }
  }
}
