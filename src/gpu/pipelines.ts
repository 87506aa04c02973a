/**
 * What is made for the device once and found again: pipelines, uniform buffers and bind groups. Knows kernels by their text and
 * tensors by their buffers; when any of it runs is dispatch.ts' matter.
 */
export type Constants = Record<string, number | boolean>;

/** A part of a buffer as a kernel binds it. */
export interface Range {
  buffer: GPUBuffer;
  offset: number;
  /** The rest of the buffer where absent. */
  size?: number;
}

export interface Pipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

const MAX_BIND_GROUPS = 4096;

/** By their text, then by name and constants: a text is the same string each time, so that finding it costs no reading of it. */
let pipelines = new Map<string, Map<string, Pipeline>>();
/** Those that are being made and not there yet, by the same. */
let coming = new Map<string, Map<string, Promise<GPUComputePipeline>>>();
let uniformBuffers = new Map<string, GPUBuffer>();
let bindGroups = new Map<string, GPUBindGroup>();
let bufferIds = new WeakMap<GPUBuffer, number>();
let nextBufferId = 1;

/** Called when another device takes over: all of it belonged to the one before. */
export function forgetPipelines(): void {
  pipelines = new Map();
  coming = new Map();
  uniformBuffers = new Map();
  bindGroups = new Map();
  bufferIds = new WeakMap();
}

/** What is kept between steps, to be seen not to grow. */
export function cacheSizes(): { uniforms: number; bindGroups: number; pipelines: number } {
  const made = [...pipelines.values()].reduce((sum, ofText) => sum + ofText.size, 0);
  return { uniforms: uniformBuffers.size, bindGroups: bindGroups.size, pipelines: made };
}

/** Names of the kernels made for this device so far. */
export function kernelsMade(): string[] {
  const keys = [...pipelines.values()].flatMap((ofText) => [...ofText.keys()]);
  return [...new Set(keys.map((key) => key.slice(0, key.indexOf('|'))))].sort();
}

export function pipelineFor(device: GPUDevice, name: string, code: string, constants: Constants): Pipeline {
  const ofText = within(pipelines, code);
  const key = keyOf(name, constants);
  const known = ofText.get(key);
  if (known) return known;
  const made = withLayout(device.createComputePipeline(describe(device, name, code, constants)));
  ofText.set(key, made);
  return made;
}

/**
 * A pipeline on its way that `pipelineFor` will find; null where it is there. Whoever needs it sooner makes it at once. Rejects with
 * what the device says of it.
 */
export function pipelineSoon(
  device: GPUDevice,
  name: string,
  code: string,
  constants: Constants,
): Promise<GPUComputePipeline> | null {
  const ofText = within(pipelines, code);
  const waiting = within(coming, code);
  const key = keyOf(name, constants);
  if (ofText.has(key)) return null;
  let made = waiting.get(key);
  if (!made) {
    made = device
      .createComputePipelineAsync(describe(device, name, code, constants))
      .then((pipeline) => {
        if (!ofText.has(key)) ofText.set(key, withLayout(pipeline));
        return pipeline;
      })
      .finally(() => waiting.delete(key));
    waiting.set(key, made);
  }
  return made;
}

function within<T>(all: Map<string, Map<string, T>>, code: string): Map<string, T> {
  let ofText = all.get(code);
  if (!ofText) all.set(code, (ofText = new Map<string, T>()));
  return ofText;
}

const keyOf = (name: string, constants: Constants) => `${name}|${Object.entries(constants).join()}`;

const withLayout = (pipeline: GPUComputePipeline): Pipeline => ({
  pipeline,
  layout: pipeline.getBindGroupLayout(0),
});

function describe(
  device: GPUDevice,
  name: string,
  code: string,
  constants: Constants,
): GPUComputePipelineDescriptor {
  const head = Object.entries(constants).map(([constant, value]) =>
    typeof value === 'boolean' ? `const ${constant} = ${value};\n` : `const ${constant} = ${value}u;\n`,
  );
  const enables = code.match(/^enable .*;$/gm) ?? [];
  const text = [...enables.map((line) => line + '\n'), ...head, code.replace(/^enable .*;$/gm, '')].join('');
  const module = device.createShaderModule({ label: name, code: text });
  return { label: name, layout: 'auto', compute: { module, entryPoint: 'main' } };
}

/** Uniform content never changes once written, so one buffer serves every dispatch that has the same numbers. */
export function uniformRange(device: GPUDevice, values: number[]): Range {
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
  return { buffer, offset: 0 };
}

/** Static shapes bring the same buffers again and again: a group is made once and found by the buffers' numbers. */
export function bindGroupFor(
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

export function idOf(thing: GPUBuffer | GPUComputePipeline): number {
  const key = thing as GPUBuffer;
  let id = bufferIds.get(key);
  if (id === undefined) bufferIds.set(key, (id = nextBufferId++));
  return id;
}
