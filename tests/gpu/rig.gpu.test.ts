/** The rig itself: Dawn is real, tfjs runs on our own device, and a broken shader is noticed. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { afterAll, beforeAll, expect, it } from 'vitest';

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
afterAll(() => tf.removeBackend('webgpu'));

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
