/** The rig itself: Dawn is real, tfjs runs on our own device, and a broken shader is noticed. */
import { performance as nodePerformance } from 'node:perf_hooks';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { beforeAll, expect, it } from 'vitest';

let device: GPUDevice;

beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter)
    throw new Error(
      'No WebGPU adapter. `node scripts/install.mjs` installs a software driver or says what to install.',
    );
  device = await adapter.requestDevice();
  tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info), 5);
  await tf.setBackend('webgpu');
});

it('multiplies matrices and their gradients on a device of our own', async () => {
  const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  expect(Array.from(await tf.matMul(a, a).data())).toEqual([7, 10, 15, 22]);
  const x = tf.tensor2d([5, 6, 7, 8], [2, 2]); // not `a`: the tape would follow both factors
  const gradient = tf.grad((input) => tf.sum(tf.matMul(input, a)))(x);
  // d/dx sum(x a) = ones aᵀ: every row holds the row sums of a.
  expect(Array.from(await gradient.data())).toEqual([3, 7, 3, 7]);
});

it('reports a broken shader instead of passing over it', async () => {
  device.pushErrorScope('validation');
  device.createShaderModule({ label: 'broken', code: 'fn main() { return 1; }' });
  const error = await device.popErrorScope();
  expect(error?.message).toContain('broken');
});

it('waits for the device at rest: a driver on the processor needs both cores', async () => {
  const code = `
    @group(0) @binding(0) var<storage, read_write> sums: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
      var sum = f32(id.x);
      for (var i = 0u; i < 4096u; i++) { sum = fma(sum, 0.999, f32(i & 3u)); }
      sums[id.x] = sum;
    }`;
  const module = device.createShaderModule({ label: 'long', code });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const buffer = device.createBuffer({ size: 4 * 65_536, usage: GPUBufferUsage.STORAGE });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  let took = 0;
  let busy = 1;
  // longer until a wait is long enough to say something
  for (let rounds = 1; took < 100; rounds *= 2) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < rounds; i++) pass.dispatchWorkgroups(1024);
    pass.end();
    const [started, before] = [performance.now(), nodePerformance.eventLoopUtilization()];
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    took = performance.now() - started;
    busy = nodePerformance.eventLoopUtilization(before).utilization;
  }
  buffer.destroy();
  expect(busy).toBeLessThan(0.5);
});
