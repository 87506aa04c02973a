/**
 * TensorFlow.js' WebGPU backend from inside. The only file that knows its private fields: they belong to version 4.22.0 exactly.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type * as tf from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Gpu } from './device';

/** What we use of tfjs' WebGPU backend, private there. */
export interface BackendInside {
  device: GPUDevice;
  tensorMap: {
    has(id: object): boolean;
    get(id: object): { resource?: GPUBuffer; values: unknown; dtype: string; external?: boolean };
  };
  commandQueueOwnedIds: WeakSet<object>;
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  /** By text and shapes: those of tfjs' own kernels. A promise where they are made without being run. */
  pipelineCache: Record<string, GPUComputePipeline | Promise<GPUComputePipeline>>;
  bufferManager: { numBytesAllocated: number; numFreeBuffers: number; freeBuffers: Map<string, GPUBuffer[]> };
  uploadToGPU(id: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  disposeData(id: object): boolean;
  incRef(id: object): void;
  makeTensorInfo(shape: number[], dtype: tf.DataType): TensorInfo;
}

let inside: BackendInside | null = null;
let currentGpu: Gpu | null = null;
let asking = false;

/** Another backend, on another device, takes the place of the one before. */
export function attachInside(backend: WebGPUBackend, gpu: Gpu): void {
  inside = asInside(backend);
  currentGpu = gpu;
}

function asInside(backend: object): BackendInside {
  for (const field of ['tensorMap', 'commandQueueOwnedIds', 'uploadToGPU', 'bufferManager'])
    if (!(field in backend))
      throw new Error(`This TensorFlow.js backend has no ${field}; version 4.22.0 is needed.`);
  return backend as BackendInside;
}

export function backendInside(): BackendInside {
  if (!inside) throw new Error('A GPU kernel was called before startEngine.');
  return inside;
}

/** Null before startEngine. */
export const startedInside = (): BackendInside | null => inside;

export function gpu(): Gpu {
  if (!currentGpu) throw new Error('The GPU was asked for before startEngine.');
  return currentGpu;
}

/** Whether pipelines are only asked for just now, and nothing is run; see `onlyPipelines`. */
export function onlyAsking(): boolean {
  return asking;
}

export function setAsking(only: boolean): void {
  asking = only;
}

/** Hands all recorded work to the GPU, so that tensors disposed of since can be used again. */
export function submit(): void {
  const backend = backendInside();
  if (!backend.commandEncoder) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}
