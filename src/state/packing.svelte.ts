/** How far the rows are on their way into the packing, and how long the stage they are in will still take. */
import type { PrepareProgress } from '../protocol/datasetApi';
import type { Settings } from '../protocol/settings';
import type { Milliseconds } from '../units';

/** Before this a guess would say little. */
const LISTEN: Milliseconds = 2000;

/** Only these settings change what is packed; the others need a new plan, not a new packing. */
export const packingOf = (modelId: string, { sequenceLength, mask, seed }: Settings): string =>
  JSON.stringify([modelId, sequenceLength, mask, seed]);

export class Packing {
  /** Null before the first row is done. Of the last stage no share is known. */
  progress = $state.raw<PrepareProgress | null>(null);
  remaining: Milliseconds | null = $state(null);
  #first: { stage: PrepareProgress['stage']; done: number; at: Milliseconds } | null = null;

  constructor(private readonly now: () => Milliseconds = () => performance.now()) {}

  hear(progress: PrepareProgress): void {
    const { stage, done, rows } = progress;
    if (this.#first?.stage !== stage) this.#first = { stage, done, at: this.now() };
    if (done > 0 || (stage === 'pack' && this.progress !== null)) this.progress = progress;
    const passed = this.now() - this.#first.at;
    const gained = done - this.#first.done;
    this.remaining = passed < LISTEN || gained === 0 ? null : (passed / gained) * (rows - done);
  }

  clear(): void {
    this.progress = null;
    this.remaining = null;
    this.#first = null;
  }
}
