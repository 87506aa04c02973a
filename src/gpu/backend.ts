/**
 * Starts TensorFlow.js on our own device, or on the processor where there is none. The processor path runs the
 * reference twins: slow, real, and said so.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-backend-cpu';
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { openGpu, type Gpu, type GpuWish } from './device';
import { attachDispatch } from './dispatch';
import { forgetPlanes } from './memory';

export interface Engine {
  backend: 'webgpu' | 'cpu';
  gpu: Gpu | null;
  /** Throws if the GPU reported an error since the last call. */
  check(): void;
}

export async function startEngine(wish: GpuWish & { backend?: 'webgpu' | 'cpu' } = {}): Promise<Engine> {
  // tfjs' automatic split-K product is silently wrong for A·Bᵀ at K ≥ 2000; small tensors must not slip to the cpu.
  tf.env().set('WEBGPU_MATMUL_PROGRAM_TYPE', 3);
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  const gpu = wish.backend === 'cpu' ? null : await openGpu(wish);
  if (!gpu) {
    await tf.setBackend('cpu');
    return { backend: 'cpu', gpu: null, check: () => undefined };
  }
  tf.removeBackend('webgpu');
  const backend = new WebGPUBackend(gpu.device, gpu.info);
  tf.registerBackend('webgpu', () => backend, 5);
  attachDispatch(backend, gpu);
  forgetPlanes();
  await tf.setBackend('webgpu');
  return { backend: 'webgpu', gpu, check: () => gpu.faults.check() };
}
