/**
 * Runs one of our kernels on tensors of TensorFlow.js, inside its own command encoder. The only file that touches the
 * backend's private fields: they belong to version 4.22.0 exactly.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Gpu } from './device';

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
  bufferManager: { numBytesAllocated: number; freeBuffers: Map<string, GPUBuffer[]> };
  uploadToGPU(id: object): void;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  disposeData(id: object): boolean;
  incRef(id: object): void;
  makeTensorInfo(shape: number[], dtype: tf.DataType): TensorInfo;
}

interface Range {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

export type Constants = Record<string, number | boolean>;

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

interface Pipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

const SUBMIT_EVERY = 64;
const MAX_BIND_GROUPS = 4096;

let inside: BackendInside | null = null;
let currentGpu: Gpu | null = null;
/** By their text, then by name and constants: a text is the same string each time, so that finding it costs no reading of it. */
let pipelines = new Map<string, Map<string, Pipeline>>();
let uniformBuffers = new Map<string, GPUBuffer>();
let bindGroups = new Map<string, GPUBindGroup>();
let bufferIds = new WeakMap<GPUBuffer, number>();
let nextBufferId = 1;
const views = new WeakMap<object, Range>();
let dispatches = 0;

/** Called once for each device; forgets everything that belonged to the one before. */
export function attachDispatch(backend: WebGPUBackend, gpu: Gpu): void {
  inside = asInside(backend);
  currentGpu = gpu;
  pipelines = new Map();
  uniformBuffers = new Map();
  bindGroups = new Map();
  bufferIds = new WeakMap();
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

/** What is kept between steps, to be seen not to grow. */
export function cacheSizes(): { uniforms: number; bindGroups: number; pipelines: number } {
  const made = [...pipelines.values()].reduce((sum, ofText) => sum + ofText.size, 0);
  return { uniforms: uniformBuffers.size, bindGroups: bindGroups.size, pipelines: made };
}

/** Gives back an output that only kernels recorded so far read. */
export function release(tensor: TensorInfo): void {
  backendInside().disposeData(tensor.dataId);
}

/** Kernels run so far; the difference of two calls is what a piece of work cost. */
export function dispatchCount(): number {
  return dispatches;
}

/** Names of the kernels made for this device so far. */
export function kernelsMade(): string[] {
  const keys = [...pipelines.values()].flatMap((ofText) => [...ofText.keys()]);
  return [...new Set(keys.map((key) => key.slice(0, key.indexOf('|'))))].sort();
}

/** Bytes that tfjs' pool holds on the GPU now, used or free. */
export function pooledBytes(): number {
  return inside?.bufferManager.numBytesAllocated ?? 0;
}

/** A tensor that is a part of another one's buffer. Only our own kernels may read it. `offset` in floats, a multiple of 64. */
export function viewOf(flat: tf.Tensor, offset: number, shape: number[]): tf.Tensor {
  const backend = backendInside();
  backend.uploadToGPU(flat.dataId);
  const buffer = backend.tensorMap.get(flat.dataId).resource;
  if (!buffer) throw new Error('A view needs a tensor that lives on the GPU.');
  const info = backend.makeTensorInfo(shape, 'float32');
  views.set(info.dataId, { buffer, offset: offset * 4, size: tf.util.sizeFromShape(shape) * 4 });
  return tf.engine().makeTensorFromTensorInfo(info);
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

function pipelineFor(device: GPUDevice, name: string, code: string, constants: Constants): Pipeline {
  let ofText = pipelines.get(code);
  if (!ofText) pipelines.set(code, (ofText = new Map<string, Pipeline>()));
  const key = `${name}|${Object.entries(constants).join()}`;
  const known = ofText.get(key);
  if (known) return known;
  const head = Object.entries(constants).map(([constant, value]) =>
    typeof value === 'boolean' ? `const ${constant} = ${value};\n` : `const ${constant} = ${value}u;\n`,
  );
  const enables = code.match(/^enable .*;$/gm) ?? [];
  const text = [...enables.map((line) => line + '\n'), ...head, code.replace(/^enable .*;$/gm, '')].join('');
  const module = device.createShaderModule({ label: name, code: text });
  const pipeline = device.createComputePipeline({
    label: name,
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
  const made = { pipeline, layout: pipeline.getBindGroupLayout(0) };
  ofText.set(key, made);
  return made;
}

/** Uniform content never changes once written, so one buffer serves every dispatch that has the same numbers. */
function uniformRange(device: GPUDevice, values: number[]): Range {
  const key = values.join();
  let buffer = uniformBuffers.get(key);
  if (!buffer) {
    const size = Math.ceil(values.length / 4) * 16;
    buffer = device.createBuffer({
      label: 'uniforms',
      size,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    new Uint32Array(buffer.getMappedRange()).set(values);
    buffer.unmap();
    uniformBuffers.set(key, buffer);
  }
  return { buffer, offset: 0, size: buffer.size };
}

/** Static shapes bring the same buffers again and again: a group is made once and found by the buffers' numbers. */
function bindGroupFor(
  device: GPUDevice,
  { pipeline, layout }: Pipeline,
  ranges: Range[],
  name: string,
): GPUBindGroup {
  const key = [idOf(pipeline), ...ranges.map((r) => `${idOf(r.buffer)}:${r.offset}`)].join();
  const known = bindGroups.get(key);
  if (known) return known;
  if (bindGroups.size >= MAX_BIND_GROUPS) {
    const [oldest] = bindGroups.keys();
    if (oldest !== undefined) bindGroups.delete(oldest);
  }
  const entries = ranges.map((resource, binding) => ({ binding, resource }));
  const group = device.createBindGroup({ label: name, layout, entries });
  bindGroups.set(key, group);
  return group;
}

function idOf(thing: GPUBuffer | GPUComputePipeline): number {
  const key = thing as GPUBuffer;
  let id = bufferIds.get(key);
  if (id === undefined) bufferIds.set(key, (id = nextBufferId++));
  return id;
}
