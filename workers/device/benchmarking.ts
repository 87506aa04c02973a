/** Benchmarks and the self-test on the trainer's own device, one at a time; both can be cancelled. */
import { runBenchmarks } from '../../src/benchmark/run';
import type {
  BenchmarkName,
  BenchmarkRow,
  KernelReport,
  KernelTrial,
  SelfTestCheck,
  SelfTestReport,
} from '../../src/protocol/benchmark';
import { shippedOracle } from '../../src/selftest/files';
import { selfTest } from '../../src/selftest/run';
import { BadRequest } from '../failures';
import { machine } from './machine';
import type { Tuning } from './tuning';
import type { Verdicts } from './verdicts';

const RUNS = 20;
/** Of one figure. */
const BUDGET = 4000;

export class Benchmarking {
  #current: AbortController | null = null;

  /** `demo`: where public/demo is served. */
  constructor(
    private readonly demo: URL,
    private readonly tuning: Tuning,
    private readonly verdicts: Verdicts,
  ) {}

  /** Throws while a benchmark runs: it times the device and moves to the processor and back, so nothing may come between. */
  mustBeIdle(): void {
    if (this.#current)
      throw new BadRequest(
        'A benchmark or self-test is running. Wait for it, or cancel it on the Benchmark page.',
      );
  }

  cancel(): void {
    this.#current?.abort(new BadRequest('Cancelled.'));
  }

  async benchmark(
    names: readonly BenchmarkName[],
    onRow: (row: BenchmarkRow) => void,
    onNow: (what: string) => void,
  ): Promise<BenchmarkRow[]> {
    return this.#alone(async (signal) => {
      const rows: BenchmarkRow[] = [];
      const engine = await machine();
      const row = (made: BenchmarkRow) => {
        rows.push(made);
        onRow(made);
      };
      await runBenchmarks(engine, names, [], { runs: RUNS, budget: BUDGET, signal }, { row, now: onNow });
      return rows;
    });
  }

  async selfTest(onCheck: (check: SelfTestCheck) => void): Promise<SelfTestReport> {
    return this.#alone(async (signal) => {
      const files = shippedOracle(new URL('selftest/', this.demo));
      const report = await selfTest(await machine(), files, onCheck, signal);
      await this.verdicts.keep(report.verdict);
      return report;
    });
  }

  async tune(onTrial: (trial: KernelTrial) => void): Promise<KernelReport> {
    return this.#alone((signal) => this.tuning.find(onTrial, signal));
  }

  async #alone<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.mustBeIdle();
    const controller = new AbortController();
    this.#current = controller;
    try {
      return await work(controller.signal);
    } finally {
      this.#current = null;
    }
  }
}
