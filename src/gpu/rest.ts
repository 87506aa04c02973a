/** Dawn in Node waits for the GPU by spinning on the main thread, which takes a core from a software driver. Browsers do not. */
import * as tf from '@tensorflow/tfjs-core';
import type { Milliseconds } from '../units';
import { gpu, submit } from './inside';

/** Sleeps through most of the expected time, with all work handed over. */
export async function restBeforeRead(expected: Milliseconds): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  submit();
  await new Promise((resolve) => setTimeout(resolve, 0.85 * expected));
}

/** Resolves when the GPU has done all that was recorded. On the processor that is always so. */
export async function finished(): Promise<void> {
  if (tf.getBackend() !== 'webgpu') return;
  submit();
  await gpu().device.queue.onSubmittedWorkDone();
}
