/**
 * Work that is built once and run many times: the same kernels on the same buffers, without TensorFlow.js and without looking
 * anything up. A graphics card is done with the small kernels of a generated token long before the page has built the next ones.
 */
import * as tf from '@tensorflow/tfjs-core';
import { runAgain, tapeDispatches, type Taped } from './dispatch';
import { backendInside, onlyAsking, submit, type BackendInside } from './inside';
import { holdBuffers, touched } from './tensors';

export interface Recorded {
  /** Rewritten by every run; disposed of with the recording. */
  result: tf.Tensor;
  /** Runs it again, on what its inputs hold then. Null where it cannot be: something else than our kernels took part. */
  again: (() => void) | null;
  dispose(): void;
}

/**
 * Runs `work` and keeps what it ran. Between two runs its inputs may be overwritten (refill.ts), not disposed of; every other tensor
 * that it makes and does not return is disposed of in it. The buffers of those are kept from all others until `dispose`.
 */
export function record(work: () => tf.Tensor): Recorded {
  if (tf.getBackend() !== 'webgpu' || onlyAsking()) {
    const result = work();
    return { result, again: null, dispose: () => result.dispose() };
  }
  const foreign = watch(backendInside());
  const tape: Taped[] = [];
  let result: tf.Tensor;
  try {
    result = tapeDispatches(tape, work);
    submit(); // what was disposed of is free now
  } finally {
    foreign.end();
  }
  if (foreign.count() !== tape.length) return { result, again: null, dispose: () => result.dispose() };
  const held = holdBuffers(new Set(tape.flatMap(({ buffers }) => buffers)));
  const written = [...tape.flatMap(({ inPlace }) => inPlace), result];
  return {
    result,
    again() {
      runAgain(tape);
      written.forEach(touched);
    },
    dispose() {
      submit();
      held.giveBack();
      result.dispose();
    },
  };
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
