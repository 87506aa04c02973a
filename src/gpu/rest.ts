/** Dawn in Node waits for the GPU by spinning on the main thread, which takes a core from a software driver. Browsers do not. */
import * as tf from '@tensorflow/tfjs-core';
import type { Milliseconds } from '../units';
import { gpu, submit } from './inside';

/** Part of the expected time that is slept through. */
const REST = 0.85;

/** → waits for results of work that repeats itself, asleep for most of the time that it took before. */
export function restful(): (result: Promise<unknown>) => Promise<void> {
  let expected: Milliseconds = 0;
  return async (result) => {
    if (tf.getBackend() !== 'webgpu') return;
    submit();
    const started = performance.now();
    if (expected > 0) await new Promise((resolve) => setTimeout(resolve, REST * expected));
    const woken = performance.now();
    await result;
    const took = performance.now() - started;
    // there before the sleep was over: what passed was the sleep, not the work
    const overslept = expected > 0 && performance.now() - woken < 0.3 * (1 - REST) * took;
    expected = overslept ? 0.5 * expected : took;
  };
}

/** Resolves when the GPU has done all that was recorded. On the processor that is always so. */
export async function finished(): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  submit();
  await gpu().device.queue.onSubmittedWorkDone();
}
