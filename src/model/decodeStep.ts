/**
 * One more token for each of some sequences, again and again. All steps run the same kernels on the same buffers; only where each
 * sequence stands and what was drawn changes, so the first is recorded and the others are run from that.
 */
import * as tf from '@tensorflow/tfjs-core';
import { Recorder } from '../gpu/recorder';
import { refill } from '../gpu/refill';
import { asChances, sampleToken, type Sampling } from '../ops/sampleToken';
import { hiddenStates, logitsOf, type Runnable } from './forward';
import { splitInto, type KeyCache } from './keyCache';
import type { RotaryTables } from './rotary';
import { disposeSight, makeSight, type Sight, type SightArrays } from './sight';

/** Where a sequence stands: its stretch of the caches, and how many keys lie in it. */
export interface Standing {
  index: number;
  length: number;
}

export class DecodeStep {
  #sight: Sight | undefined;
  #places: tf.Tensor | undefined;
  #draws: tf.Tensor | undefined;
  readonly #recorder = new Recorder();

  /** `room`: rows of a sequence's stretch. */
  constructor(
    private readonly model: Runnable,
    private readonly caches: KeyCache[],
    private readonly room: number,
    private readonly tables: RotaryTables,
    private readonly sampling: Sampling,
  ) {}

  /**
   * ids [sequences] int32, the last token of each, and a number drawn for each → the next ids in their place: use what is returned
   * from then on. `logits` [sequences, vocab] are good until the next call and belong to the step. Each call has as many sequences,
   * and the tensor that the one before returned.
   */
  run(
    ids: tf.Tensor,
    sequences: readonly Standing[],
    draws: readonly number[],
  ): { ids: tf.Tensor; logits: tf.Tensor } {
    this.#refill(sequences, draws);
    let next = ids;
    const logits = this.#recorder.run('', () => {
      const [sight, places, chances] = [this.#sight, this.#places, this.#draws];
      if (!sight || !places || !chances) throw new Error('A step of generation has no inputs.');
      const hidden = hiddenStates(this.model, ids, sight, splitInto(this.caches, places));
      const logits = logitsOf(this.model, hidden);
      hidden.dispose();
      next = sampleToken(logits, chances, this.sampling, ids);
      return logits;
    });
    return { ids: next, logits };
  }

  #refill(sequences: readonly Standing[], draws: readonly number[]): void {
    const count = sequences.length;
    const positions = Int32Array.from(sequences, ({ length }) => Math.min(length, this.room - 1));
    const begins = Int32Array.from(sequences, ({ index }) => index * this.room);
    const places = begins.map((begin, row) => begin + (positions[row] ?? 0));
    const see = (window: number | null): SightArrays => {
      const ranges = new Int32Array(3 * count);
      places.forEach((last, row) => {
        const begin = begins[row] ?? 0;
        ranges[row] = window === null ? begin : Math.max(begin, last - window + 1);
        ranges[count + row] = last;
      });
      return { positions, ranges };
    };
    this.#sight = makeSight(this.model.config, this.tables, see, this.#sight);
    this.#places = refill(this.#places, places, [count]);
    this.#draws = refill(this.#draws, asChances(draws), [count]);
  }

  dispose(): void {
    this.#recorder.forget();
    if (this.#sight) disposeSight(this.#sight);
    this.#places?.dispose();
    this.#draws?.dispose();
  }
}
