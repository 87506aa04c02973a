/**
 * Runs one of our kernels on tensors of TensorFlow.js, inside its own command encoder. The only file that touches the
 * backend's private fields: they belong to version 4.22.0 exactly.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Gpu } from './device';
import {
  bindGroupFor,
  forgetPipelines,
  idOf,
  pipelineFor,
  pipelineSoon,
  uniformRange,
  type Constants,
  type Range,
} from './pipelines';

/** What we use of tfjs' WebGPU backend, private there. */
interface BackendInside {
  device: GPUDevice;
  tensorMap: {
    get(id: object): { resource?: GPUBuffer; values: unknown; dtype: string; external?: boolean };
  };
  commandQueueOwnedIds: WeakSet<object>;
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  /** By text and shapes: those of tfjs' own kernels. A promise where they are made without being run. */
  pipelineCache: Record<string, GPUComputePipeline | Promise<GPUComputePipeline>>;
  bufferManager: { numBytesAllocated: number; freeBuffers: Map<string, GPUBuffer[]> };
  uploadToGPU(id: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  disposeData(id: object): boolean;
  incRef(id: object): void;
  makeTensorInfo(shape: number[], dtype: tf.DataType): TensorInfo;
}

export interface Dispatch {
  /** The kernel's name: labels its module, pipeline and errors. */
  name: string;
  /** WGSL text; `constants` are put in front of it as `const NAME = …;` and are part of the pipeline's key. */
  code: string;
  constants?: Constants;
  /** Tensors in binding order, outputs included. The uniform buffer takes the next binding. */
  bind: TensorInfo[];
  /** Unsigned numbers, four bytes each, in the order of the shader's struct; `floatBits` for a float. */
  uniforms: number[];
  /** Workgroups; use `foldGroups` for a count that may pass 65,535. */
  groups: [number, number, number];
  /** Bound tensors that are written in place. */
  inPlace?: TensorInfo[];
}

/** A pipeline on its way, and the number of buffers that its kernel binds before the uniform one; 0 where that is not known. */
export interface AskedPipeline {
  pipeline: Promise<GPUComputePipeline>;
  buffers: number;
}

const SUBMIT_EVERY = 64;

let inside: BackendInside | null = null;
let currentGpu: Gpu | null = null;
const views = new WeakMap<object, Range>();
/** Where dispatches leave the pipelines they asked for while nothing is run; null in normal times. */
let asked: Map<AskedPipeline['pipeline'], AskedPipeline> | null = null;
let dispatches = 0;

/** Called once for each device; forgets everything that belonged to the one before. */
export function attachDispatch(backend: WebGPUBackend, gpu: Gpu): void {
  inside = asInside(backend);
  currentGpu = gpu;
  forgetPipelines();
}

function asInside(backend: object): BackendInside {
  for (const field of ['tensorMap', 'commandQueueOwnedIds', 'uploadToGPU', 'bufferManager'])
    if (!(field in backend))
      throw new Error(`This TensorFlow.js backend has no ${field}; version 4.22.0 is needed.`);
  return backend as BackendInside;
}

function backendInside(): BackendInside {
  if (!inside) throw new Error('A GPU kernel was called before startEngine.');
  return inside;
}

export function gpu(): Gpu {
  if (!currentGpu) throw new Error('The GPU was asked for before startEngine.');
  return currentGpu;
}

/** An output tensor of a kernel; its content is undefined until the kernel has run. */
export function output(shape: number[], dtype: 'float32' | 'int32' = 'float32'): TensorInfo {
  return backendInside().makeTensorInfo(shape, dtype);
}

export function dispatch({
  name,
  code,
  constants = {},
  bind,
  uniforms,
  groups,
  inPlace = [],
}: Dispatch): void {
  const backend = backendInside();
  if (asked) {
    const pipeline = pipelineSoon(backend.device, name, code, constants);
    if (pipeline) asked.set(pipeline, { pipeline, buffers: bind.length });
    return;
  }
  const pipeline = pipelineFor(backend.device, name, code, constants);
  const ranges = bind.map((tensor) => rangeOf(backend, tensor, name));
  ranges.push(uniformRange(backend.device, uniforms));
  const group = bindGroupFor(backend.device, pipeline, ranges, name);
  if (groups.some((count) => count > 65_535))
    throw new Error(
      `Kernel ${name} asks for ${groups.join(' × ')} workgroups; 65,535 are allowed in one direction.`,
    );

  backend.ensureCommandEncoderReady();
  const pass = (backend.computePassEncoder ??= backend.commandEncoder?.beginComputePass({}) ?? null);
  if (!pass) throw new Error('TensorFlow.js gave no command encoder.');
  pass.setPipeline(pipeline.pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...groups);
  for (const tensor of inPlace) backend.tensorMap.get(tensor.dataId).values = null;
  dispatches++;
  if (++backend.dispatchCountInPass >= SUBMIT_EVERY) submit();
}

/**
 * Runs `work`, which waits for nothing, for its pipelines alone: each dispatch asks for the one it would run, tfjs' kernels do the
 * same, tensors get no buffer, and nothing is recorded. → those that were not there before.
 */
export function onlyPipelines(work: () => void): AskedPipeline[] {
  const backend = backendInside();
  const mine: typeof asked = (asked = new Map());
  backend.uploadToGPU = () => undefined; // in front of the class' own
  tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  try {
    tf.tidy(work);
  } finally {
    asked = null;
    Reflect.deleteProperty(backend, 'uploadToGPU');
    tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', false);
    // tfjs cannot run a kernel whose pipeline is still a promise: until it is there, it is not known
    const { pipelineCache } = backend;
    for (const [key, pipeline] of Object.entries(pipelineCache)) {
      if (!(pipeline instanceof Promise)) continue;
      Reflect.deleteProperty(pipelineCache, key);
      const put = pipeline.then((made) => (pipelineCache[key] ??= made));
      mine.set(put, { pipeline: put, buffers: 0 });
    }
    // whoever waits for them hears of a failure
    for (const { pipeline } of mine.values()) pipeline.catch(() => undefined);
  }
  return [...mine.values()];
}

/** Whether pipelines are only asked for just now; see `onlyPipelines`. */
export function onlyAsking(): boolean {
  return asked !== null;
}

/** An output of a kernel that is its input: no copy, one owner more. */
export function sameTensor({ dataId, shape, dtype }: TensorInfo): TensorInfo {
  backendInside().incRef(dataId);
  return { dataId, shape, dtype };
}

/** A tensor that was written through a view of it: what was read of it before is out of date. */
export function touched(tensor: TensorInfo): void {
  backendInside().tensorMap.get(tensor.dataId).values = null;
}

/** Hands all recorded work to the GPU, so that tensors disposed of since can be used again. */
export function submit(): void {
  const backend = backendInside();
  if (!backend.commandEncoder) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** Overwrites a tensor, after all work recorded so far: that is handed over first, for a write goes ahead of what is not. */
export function rewrite(
  tensor: TensorInfo,
  values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>,
): void {
  if (asked) return;
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
  if (!inside) return;
  submit();
  for (const free of inside.bufferManager.freeBuffers.values()) free.sort((a, b) => idOf(a) - idOf(b));
}

/** Gives back an output that only kernels recorded so far read. */
export function release(tensor: TensorInfo): void {
  backendInside().disposeData(tensor.dataId);
}

/** Kernels run so far; the difference of two calls is what a piece of work cost. */
export function dispatchCount(): number {
  return dispatches;
}

/** Bytes that tfjs' pool holds on the GPU now, used or free. */
export function pooledBytes(): number {
  return inside?.bufferManager.numBytesAllocated ?? 0;
}

/** A tensor of which only the shape means something. */
export function blankTensor(shape: number[], dtype: 'float32' | 'int32' = 'float32'): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(output(shape, dtype));
}

/** A tensor that is a part of another one's buffer. Only our own kernels may read it. `offset` in floats, a multiple of 64. */
export function viewOf(flat: tf.Tensor, offset: number, shape: number[]): tf.Tensor {
  const backend = backendInside();
  const info = backend.makeTensorInfo(shape, 'float32');
  if (asked) return tf.engine().makeTensorFromTensorInfo(info);
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
  if (asked) return;
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

/** Groups along x and y that together are at least `count`; the shader computes `x + y * num_workgroups.x`. */
export function foldGroups(count: number): [number, number, number] {
  if (count <= 65_535) return [count, 1, 1];
  const rows = Math.ceil(count / 65_535);
  return [Math.ceil(count / rows), rows, 1];
}

const floatView = new DataView(new ArrayBuffer(4));
/** The bits of a 32-bit float as an unsigned number, for `uniforms`. */
export function floatBits(value: number): number {
  floatView.setFloat32(0, value);
  return floatView.getUint32(0);
}

function rangeOf(backend: BackendInside, tensor: TensorInfo, kernel: string): Range {
  const view = views.get(tensor.dataId);
  if (view) return view;
  backend.uploadToGPU(tensor.dataId);
  backend.commandQueueOwnedIds.add(tensor.dataId);
  const { resource } = backend.tensorMap.get(tensor.dataId);
  if (!resource) throw new Error(`Kernel ${kernel} was given a tensor without a buffer.`);
  const size = Math.max(4, tf.util.sizeFromShape(tensor.shape) * 4);
  const limit = backend.device.limits.maxStorageBufferBindingSize;
  if (size > limit)
    throw new Error(`Kernel ${kernel} needs ${size} bytes in one binding; this GPU allows ${limit}.`);
  return { buffer: resource, offset: 0, size: resource.size };
}
