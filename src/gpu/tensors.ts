/** Tensors as the buffers behind them: made without content, viewed, copied, overwritten and given back. Runs no kernel. */
import * as tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { backendInside, onlyAsking, startedInside, submit, type BackendInside } from './inside';
import { idOf, type Range } from './pipelines';

const views = new WeakMap<object, Range>();

/** An output tensor of a kernel; its content is undefined until the kernel has run. */
export function output(shape: number[], dtype: 'float32' | 'int32' = 'float32'): TensorInfo {
  return backendInside().makeTensorInfo(shape, dtype);
}

/** An output of a kernel that is its input: no copy, one owner more. */
export function sameTensor({ dataId, shape, dtype }: TensorInfo): TensorInfo {
  backendInside().incRef(dataId);
  return { dataId, shape, dtype };
}

/** Where tensors that are written are noted; null in normal times. */
let noted: Set<TensorInfo> | null = null;

/** A tensor that was written in place, by a kernel or through a view: what was read of it before is out of date. */
export function touched(tensor: TensorInfo): void {
  backendInside().tensorMap.get(tensor.dataId).values = null;
  noted?.add(tensor);
}

/** Runs `work`. → those of the tensors it wrote in place that are still there */
export function notingTouched<T>(work: () => T): { result: T; written: TensorInfo[] } {
  const mine = (noted = new Set());
  try {
    const result = work();
    const { tensorMap } = backendInside();
    return { result, written: [...mine].filter(({ dataId }) => tensorMap.has(dataId)) };
  } finally {
    noted = null;
  }
}

/** Gives a tensor its buffer now, and not when a kernel first reads it. */
export function bringOver(tensor: TensorInfo): void {
  if (!onlyAsking()) backendInside().uploadToGPU(tensor.dataId);
}

/** Overwrites a tensor, after all work recorded so far: that is handed over first, for a write goes ahead of what is not. */
export function rewrite(
  tensor: TensorInfo,
  values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
): void {
  if (onlyAsking()) return;
  const backend = backendInside();
  backend.uploadToGPU(tensor.dataId);
  submit();
  const entry = backend.tensorMap.get(tensor.dataId);
  if (!entry.resource) throw new Error('A tensor without a buffer cannot be overwritten.');
  backend.device.queue.writeBuffer(entry.resource, 0, values);
  entry.values = null;
}

/** Copies tensors one after the other into a buffer of our own, after all work recorded so far, and hands everything over. */
export function copyOut(tensors: readonly TensorInfo[], target: GPUBuffer): void {
  const backend = backendInside();
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  let at = 0;
  for (const tensor of tensors) {
    const size = 4 * tf.util.sizeFromShape(tensor.shape);
    const { buffer, offset } = rangeOf(backend, tensor, 'copyOut');
    backend.commandEncoder?.copyBufferToBuffer(buffer, offset, target, at, size);
    at += size;
  }
  submit();
}

/**
 * Puts the pool's free buffers of each size in one order, after all work recorded so far: a step then takes those that the step
 * before it took, and finds its bind groups again.
 */
export function orderFreeBuffers(): void {
  const inside = startedInside();
  if (!inside) return;
  submit();
  for (const free of inside.bufferManager.freeBuffers.values()) free.sort((a, b) => idOf(a) - idOf(b));
}

/** Gives the pool's free buffers back to the device, so that what comes next is counted without what was. */
export function emptyPool(): void {
  const inside = startedInside();
  if (!inside) return;
  submit();
  const { bufferManager } = inside;
  for (const free of bufferManager.freeBuffers.values())
    for (const buffer of free.splice(0)) {
      bufferManager.numBytesAllocated -= buffer.size;
      bufferManager.numFreeBuffers--;
      buffer.destroy();
    }
}

/** Takes the free buffers that are among these out of the pool, so that nothing else gets them until they are given back. */
export function holdBuffers(wanted: ReadonlySet<GPUBuffer>): { giveBack(): void } {
  const { bufferManager } = backendInside();
  const held: { to: GPUBuffer[]; buffers: GPUBuffer[] }[] = [];
  for (const free of bufferManager.freeBuffers.values()) {
    const buffers = free.filter((buffer) => wanted.has(buffer));
    if (buffers.length === 0) continue;
    free.splice(0, free.length, ...free.filter((buffer) => !wanted.has(buffer)));
    bufferManager.numFreeBuffers -= buffers.length;
    held.push({ to: free, buffers });
  }
  return {
    giveBack() {
      for (const { to, buffers } of held.splice(0)) {
        to.push(...buffers);
        bufferManager.numFreeBuffers += buffers.length;
      }
    },
  };
}

/** Gives back an output that only kernels recorded so far read. */
export function release(tensor: TensorInfo): void {
  backendInside().disposeData(tensor.dataId);
}

/** Bytes that tfjs' pool holds on the GPU now, used or free. */
export function pooledBytes(): number {
  return startedInside()?.bufferManager.numBytesAllocated ?? 0;
}

/** A tensor of which only the shape means something. */
export function blankTensor(shape: number[], dtype: 'float32' | 'int32' = 'float32'): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(output(shape, dtype));
}

/** A tensor that is a part of another one's buffer. Only our own kernels may read it. `offset` in floats, a multiple of 64. */
export function viewOf(flat: tf.Tensor, offset: number, shape: number[]): tf.Tensor {
  const backend = backendInside();
  const info = backend.makeTensorInfo(shape, 'float32');
  if (onlyAsking()) return tf.engine().makeTensorFromTensorInfo(info);
  backend.uploadToGPU(flat.dataId);
  const buffer = backend.tensorMap.get(flat.dataId).resource;
  if (!buffer) throw new Error('A view needs a tensor that lives on the GPU.');
  views.set(info.dataId, { buffer, offset: offset * 4, size: tf.util.sizeFromShape(shape) * 4 });
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** The tensor itself, or a copy where it is a part of another one's buffer: stock operations bind whole buffers. */
export function wholeTensor(tensor: tf.Tensor): tf.Tensor {
  if (!views.has(tensor.dataId)) return tensor;
  const copy = output(tensor.shape);
  copyTensor(tensor, copy);
  return tf.engine().makeTensorFromTensorInfo(copy);
}

/** Copies the numbers of one tensor into the buffer of another, after all work recorded so far. No shader takes part. */
export function copyTensor(from: TensorInfo, to: TensorInfo): void {
  if (onlyAsking()) return;
  const backend = backendInside();
  const [source, target] = [rangeOf(backend, from, 'copyTensor'), rangeOf(backend, to, 'copyTensor')];
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  const bytes = 4 * tf.util.sizeFromShape(to.shape);
  backend.commandEncoder?.copyBufferToBuffer(
    source.buffer,
    source.offset,
    target.buffer,
    target.offset,
    bytes,
  );
  backend.tensorMap.get(to.dataId).values = null;
}

const limits = new WeakMap<GPUDevice, number>();

/** Bytes of the largest binding. Asking the device each time would cost more than all else that a dispatch looks up. */
function mostBound(device: GPUDevice): number {
  let most = limits.get(device);
  if (most === undefined) limits.set(device, (most = device.limits.maxStorageBufferBindingSize));
  return most;
}

/** Where a kernel finds a tensor; its buffer stays until the work recorded so far is handed over. */
export function rangeOf(backend: BackendInside, tensor: TensorInfo, kernel: string): Range {
  const view = views.get(tensor.dataId);
  if (view) return view;
  backend.uploadToGPU(tensor.dataId);
  backend.commandQueueOwnedIds.add(tensor.dataId);
  const { resource } = backend.tensorMap.get(tensor.dataId);
  if (!resource) throw new Error(`Kernel ${kernel} was given a tensor without a buffer.`);
  const size = Math.max(4, tf.util.sizeFromShape(tensor.shape) * 4);
  const limit = mostBound(backend.device);
  if (size > limit)
    throw new Error(`Kernel ${kernel} needs ${size} bytes in one binding; this GPU allows ${limit}.`);
  return { buffer: resource, offset: 0 };
}
