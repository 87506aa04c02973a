/**
 * Work that is built once and run many times: the same kernels on the same buffers, without TensorFlow.js and without looking
 * anything up. A graphics card is done with small kernels long before the page has built the next ones.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { runAgain, tapeDispatches, type Taped } from './dispatch';
import { backendInside, onlyAsking, submit, type BackendInside } from './inside';
import { holdBuffers, notingTouched, touched } from './tensors';

interface Recording {
  /** Null where it cannot be run again: something else than our kernels took part. */
  tape: Taped[] | null;
  /** What it writes besides. */
  written: TensorInfo[];
  result: tf.Tensor;
}

export class Recorder {
  #recordings = new Map<string, Recording>();
  #held: { giveBack(): void } | null = null;

  /**
   * What `work` makes: from its recording, on what its inputs hold now, or by running it. The result is good until the next call and
   * is the recorder's to dispose of. `key` tells apart works of different shapes; of what they make on the way they share
   * the buffers, which nobody else gets until `forget`. Until then inputs may be overwritten (refill.ts), not disposed of; every
   * other tensor that `work` makes is disposed of in it.
   */
  run(key: string, work: () => tf.Tensor): tf.Tensor {
    const known = this.#recordings.get(key);
    if (known?.tape) {
      runAgain(known.tape);
      known.written.forEach(touched);
      touched(known.result);
      return known.result;
    }
    known?.result.dispose();
    this.#held?.giveBack();
    let made: Recording;
    try {
      made = record(work);
    } catch (error) {
      this.forget(); // what the others need is held no more
      throw error;
    }
    this.#recordings.set(key, made);
    const tapes = [...this.#recordings.values()].map(({ tape }) => tape ?? []);
    const buffers = tapes.flatMap((tape) => tape.flatMap((one) => one.buffers));
    this.#held = buffers.length > 0 ? holdBuffers(new Set(buffers)) : null;
    return made.result;
  }

  /** Gives all buffers back; what is asked for next is recorded anew. */
  forget(): void {
    for (const { result } of this.#recordings.values()) result.dispose();
    this.#recordings.clear();
    this.#held?.giveBack();
    this.#held = null;
  }
}

function record(work: () => tf.Tensor): Recording {
  if (tf.getBackend() !== 'webgpu' || onlyAsking()) return { tape: null, written: [], result: work() };
  const watched = watch(backendInside());
  const tape: Taped[] = [];
  try {
    const made = notingTouched(() => {
      const result = tapeDispatches(tape, work);
      submit(); // what was disposed of is free now
      return result;
    });
    return { ...made, tape: watched.count() === tape.length ? tape : null };
  } finally {
    watched.end();
  }
}

/** Counts what goes to the GPU, kernels of ours and all else: where it is more than our kernels, a tape of them is not the whole. */
function watch(backend: BackendInside): { count(): number; end(): void } {
  let count = 0;
  const { ensureCommandEncoderReady, uploadToGPU } = backend;
  backend.ensureCommandEncoderReady = () => {
    count++;
    ensureCommandEncoderReady.call(backend);
  };
  backend.uploadToGPU = (id) => {
    // numbers of the page would be those of the first run for ever
    const { resource, values } = backend.tensorMap.get(id);
    if (!resource && values) count++;
    uploadToGPU.call(backend, id);
  };
  return {
    count: () => count,
    end() {
      Reflect.deleteProperty(backend, 'ensureCommandEncoderReady');
      Reflect.deleteProperty(backend, 'uploadToGPU');
    },
  };
}
