/**
 * Which products are fastest on this device: found once on a graphics card, before the first run in a weight format, kept, and found
 * again when asked. On a software driver the built-in choice stands until someone asks: compiling the candidates takes longer there
 * than a small run.
 */
import { SEARCH_BUDGET, tuneFormats } from '../../src/benchmark/tuning';
import { kindOf, useTuned, type TunedTable } from '../../src/ops/product/choose';
import { hasDetour } from '../../src/ops/ways';
import type { KernelReport, KernelTrial } from '../../src/protocol/benchmark';
import { WEIGHT_FORMATS, type WeightFormat } from '../../src/protocol/weightFormats';
import { StorageFull, type Storage } from '../../src/storage/database';
import { keepTuned, tunedFor } from '../../src/storage/measurements';
import type { Milliseconds } from '../../src/units';
import { deviceKey } from './deviceKey';
import { machine } from './machine';

/** For each of all formats, when someone asks. */
const BUDGET_OF_EACH = { card: 4000, processor: 16_000 } satisfies Record<string, Milliseconds>;
/** Raised whenever a design is added, changed or taken away: older winners are forgotten. */
const DESIGNS = 9;

export class Tuning {
  #table: TunedTable | null = null;

  constructor(private readonly db: Storage) {}

  /** Takes what is known of this device into use; on a graphics card finds what is not. `onStart` hears of a search. */
  async ready(format: WeightFormat, onStart: () => void): Promise<void> {
    const { gpu } = await machine();
    if (!gpu) return;
    const table = await this.#known();
    if (gpu.software || kindOf('nt', format) in table || isFixed(format)) return;
    onStart();
    await this.#search([format], SEARCH_BUDGET, () => undefined, new AbortController().signal);
  }

  /** Searches anew in every format. */
  async find(onTrial: (trial: KernelTrial) => void, signal: AbortSignal): Promise<KernelReport> {
    const { gpu } = await machine();
    if (!gpu) throw new Error('There are no kernels to compare: this browser offers no WebGPU.');
    const trials: KernelTrial[] = [];
    await this.#known();
    await this.#search(
      WEIGHT_FORMATS.filter((format) => !isFixed(format)),
      gpu.software ? BUDGET_OF_EACH.processor : BUDGET_OF_EACH.card,
      (trial) => {
        trials.push(trial);
        onTrial(trial);
      },
      signal,
    );
    return { device: gpu.name, trials };
  }

  async #search(
    formats: readonly WeightFormat[],
    budget: Milliseconds,
    onTrial: (trial: KernelTrial) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const engine = await machine();
    const found = await tuneFormats(formats, budget, onTrial, signal);
    engine.check();
    this.#table = { ...this.#table, ...found };
    useTuned(this.#table);
    try {
      await keepTuned(this.db, { device: deviceKey(DESIGNS, engine), table: this.#table, made: Date.now() });
    } catch (error) {
      // on a full disk the winners live as long as the tab, and are found again next time
      if (!(error instanceof StorageFull)) throw error;
    }
  }

  async #known(): Promise<TunedTable> {
    if (!this.#table) {
      this.#table = (await tunedFor(this.db, deviceKey(DESIGNS, await machine()))) ?? {};
      useTuned(this.#table);
    }
    return this.#table;
  }
}

/** The self-test has found the usual products wrong and another way right: there is nothing to choose. */
const isFixed = (format: WeightFormat) => hasDetour(`linear ${format}`);
