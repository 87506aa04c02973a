/** Dawn in Node waits for the GPU by spinning on the main thread, which takes a core from a software driver. Browsers do not. */
import * as tf from '@tensorflow/tfjs-core';
import type { Milliseconds } from '../units';
import { gpu, submit } from './inside';

/** How long a graphics card works before it is timed: its clock rises only while it works, and falls several times as far in a pause. */
export const WARM_UP: Milliseconds = 600;

/** Part of the expected time that is slept through. */
const REST = 0.85;

/** A timer's own step; shorter sleeps are none. */
const TICK: Milliseconds = 1;

/**
 * → waits for work that repeats itself, asleep for most of the time that it took before; then calls `result` and waits for that. False
 * where the work was done before the sleep was over: what passed was the sleep, not the work.
 */
export function restful(): (result: () => Promise<unknown>) => Promise<boolean> {
  let expected: Milliseconds = 0;
  return async (result) => {
    if (tf.getBackend() === 'webgpu') submit();
    const started = performance.now();
    const rest = REST * expected;
    if (rest > TICK) await new Promise((resolve) => setTimeout(resolve, rest));
    const woken = performance.now();
    await result();
    const ended = performance.now();
    const inTime = rest <= TICK || ended - woken >= 0.3 * (1 - REST) * (ended - started);
    expected = inTime ? ended - started : 0.5 * expected;
    return inTime;
  };
}

/** Resolves when the GPU has done all that was recorded. On the processor that is always so. */
export async function finished(): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  submit();
  await gpu().device.queue.onSubmittedWorkDone();
}
