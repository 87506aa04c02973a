/**
 * Buffers of our own for frozen weights, seen by TensorFlow.js as tensors without a copy: written piece by piece while a model
 * streams in, destroyed by name. TensorFlow.js' own pool is counted beside them.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Bytes } from '../units';
import { gpu, onlyAsking, submit } from './inside';
import { blankTensor, pooledBytes } from './tensors';

const planes = new WeakMap<object, GPUBuffer>();
let planeBytes = 0;

/** A tensor of `words` 32-bit words over a buffer of its own; zero until written. */
export function makePlane(words: number, dtype: 'float32' | 'int32', label: string): tf.Tensor {
  const { device } = gpu();
  const size = Math.max(4, 4 * words);
  if (size > device.limits.maxBufferSize)
    throw new Error(
      `${label} needs ${size} bytes in one buffer; this GPU allows ${device.limits.maxBufferSize}.`,
    );
  if (onlyAsking()) return tf.keep(blankTensor([words], dtype));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label, size, usage });
  const tensor = tf.keep(tf.tensor({ buffer, zeroCopy: true }, [words], dtype));
  planes.set(tensor.dataId, buffer);
  planeBytes += size;
  return tensor;
}

export function isPlane(tensor: tf.Tensor): boolean {
  return planes.has(tensor.dataId);
}

function bufferOf(tensor: tf.Tensor): GPUBuffer {
  const buffer = planes.get(tensor.dataId);
  if (!buffer) throw new Error('This tensor is no plane of a weight.');
  return buffer;
}

/** Overwrites words from `at` on. */
export function writePlane(tensor: tf.Tensor, at: number, words: Uint32Array<ArrayBuffer>): void {
  gpu().device.queue.writeBuffer(bufferOf(tensor), 4 * at, words);
}

/** Resolves when the device has taken what was written, so that the page's copies are gone. On the processor there is no queue. */
export async function writesDone(): Promise<void> {
  if (tf.getBackend() === 'webgpu') await gpu().device.queue.onSubmittedWorkDone();
}

/** Work that was recorded but not handed over may still read the buffer, so that is handed over first. */
export function destroyPlane(tensor: tf.Tensor): void {
  const buffer = bufferOf(tensor);
  submit();
  planes.delete(tensor.dataId);
  planeBytes -= buffer.size;
  tensor.dispose();
  buffer.destroy();
}

/** Bytes on the GPU now: weights, and what tfjs' pool holds, used or free. */
export function allocatedBytes(): Bytes {
  return planeBytes + pooledBytes();
}

/** Called when a device is gone and its buffers with it. */
export function forgetPlanes(): void {
  planeBytes = 0;
}
