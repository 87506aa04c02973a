/**
 * Forward and backward of one micro-batch after another. All of a run have the same shapes, so each kind is built once and then run
 * from its recording; how many chunks the head goes through is the one thing in which they differ.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { Trainable } from '../adapter/trainable';
import { Recorder } from '../gpu/recorder';
import type { ModelConfig } from '../model/config';
import type { Keeping } from '../protocol/settings';
import type { Batch } from './batch';
import { forwardBackward } from './step';

export class MicroBatches {
  readonly #recorder = new Recorder();

  constructor(
    private readonly config: ModelConfig,
    private readonly trainable: Trainable,
    private readonly keeping?: Keeping,
  ) {}

  /**
   * Adds the gradient of −Σ weights·logp to the flat buffer. → logp [tokens], good until the next call. On the GPU every batch lies in the
   * tensors of the first, and so does the seed.
   */
  run(batch: Batch, dropoutSeed: tf.Tensor | null): tf.Tensor {
    return this.#recorder.run(
      String(batch.chunks.length),
      () => forwardBackward(this.config, this.trainable, batch, dropoutSeed, this.keeping).logp,
    );
  }

  /** Leaves the buffers to others: before a check on held-out rows, in a pause, and in the end. */
  forget(): void {
    this.#recorder.forget();
  }
}
