/** Runs one of our kernels on tensors of TensorFlow.js, inside its own command encoder; or only asks for its pipeline. */
import * as tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Gpu } from './device';
import { attachInside, backendInside, setAsking, submit, type BackendInside } from './inside';
import {
  bindGroupFor,
  forgetPipelines,
  pipelineFor,
  pipelineSoon,
  uniformRange,
  type Constants,
} from './pipelines';
import { rangeOf, touched } from './tensors';

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

/** A dispatch that was made, with all that it needs to be made again. */
export interface Taped {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  groups: Dispatch['groups'];
  buffers: GPUBuffer[];
}

const SUBMIT_EVERY = 64;

/** Where dispatches leave the pipelines they asked for while nothing is run; null in normal times. */
let asked: Map<AskedPipeline['pipeline'], AskedPipeline> | null = null;
/** Where dispatches are written down while they are made. */
let tape: Taped[] | null = null;
let dispatches = 0;
/** How often each kernel runs; see `repeated`. */
let times = 1;

/** Called once for each device; forgets everything that belonged to the one before. */
export function attachDispatch(backend: WebGPUBackend, gpu: Gpu): void {
  attachInside(backend, gpu);
  forgetPipelines();
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

  tape?.push({ pipeline: pipeline.pipeline, group, groups, buffers: ranges.map(({ buffer }) => buffer) });
  encode(backend, pipeline.pipeline, group, groups);
  inPlace.forEach(touched);
}

function encode(
  backend: BackendInside,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  [x, y, z]: Dispatch['groups'],
): void {
  backend.ensureCommandEncoderReady();
  const pass = (backend.computePassEncoder ??= backend.commandEncoder?.beginComputePass({}) ?? null);
  if (!pass) throw new Error('TensorFlow.js gave no command encoder.');
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  for (let i = 0; i < times; i++) pass.dispatchWorkgroups(x, y, z);
  dispatches++;
  if (++backend.dispatchCountInPass >= SUBMIT_EVERY) submit();
}

/** Runs `work` and writes down every dispatch on `onto`; what is no dispatch of ours is not seen. */
export function tapeDispatches<T>(onto: Taped[], work: () => T): T {
  tape = onto;
  try {
    return work();
  } finally {
    tape = null;
  }
}

export function runAgain(dispatches: readonly Taped[]): void {
  const backend = backendInside();
  for (const { pipeline, group, groups } of dispatches) encode(backend, pipeline, group, groups);
}

/**
 * Runs `work`, which waits for nothing, for its pipelines alone: each dispatch asks for the one it would run, tfjs' kernels do the
 * same, tensors get no buffer, and nothing is recorded. → those that were not there before.
 */
export function onlyPipelines(work: () => void): AskedPipeline[] {
  const backend = backendInside();
  const mine: typeof asked = (asked = new Map());
  setAsking(true);
  backend.uploadToGPU = () => undefined; // in front of the class' own
  tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  try {
    tf.tidy(work);
  } finally {
    asked = null;
    setAsking(false);
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

/**
 * Runs each kernel of `work` this many times, recorded once: to time kernels that take less long than their recording. Of kernels
 * that add to what is there nothing sensible comes.
 */
export function repeated(count: number, work: () => void): void {
  times = count;
  try {
    work();
  } finally {
    times = 1;
  }
}

/** Kernels run so far; the difference of two calls is what a piece of work cost. */
export function dispatchCount(): number {
  return dispatches;
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
