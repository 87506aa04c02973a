/** The engine of this worker: started once, and again after the device was lost. */
import { startEngine, type Engine } from '../../src/gpu/backend';
import { DeviceLost } from '../../src/gpu/faults';
import type { Capabilities } from '../../src/protocol/capabilities';

let engine: Promise<Engine> | null = null;

let prepare: (engine: Engine) => Promise<void> = () => Promise.resolve();

/** `work` is done on every device that is opened from now on, before anyone else gets it. */
export function beforeUse(work: (engine: Engine) => Promise<void>): void {
  prepare = work;
}

async function start(): Promise<Engine> {
  const started = await startEngine();
  await prepare(started);
  return started;
}

export function machine(): Promise<Engine> {
  return (engine ??= start());
}

/** A new device after a loss; everything on the old one is gone. */
export async function restartMachine(): Promise<Engine> {
  engine = start();
  return engine;
}

/** The loss behind an error, if there is one: a failed read is often the first sign of it. */
export async function lossBehind(error: unknown): Promise<DeviceLost | null> {
  if (error instanceof DeviceLost) return error;
  const { gpu } = await machine();
  if (!gpu) return null;
  const wait = new Promise<null>((resolve) => setTimeout(() => resolve(null), 500));
  const lost = await Promise.race([gpu.faults.lost, wait]);
  return lost ? new DeviceLost(lost.reason, lost.message) : null;
}

export async function capabilities(): Promise<Capabilities> {
  const { backend, gpu } = await machine();
  if (!gpu)
    return {
      backend,
      device: 'the processor',
      software: true,
      sharedMemory: true,
      features: [],
      maxBindingBytes: 0,
      maxBufferBytes: 0,
      note: 'This browser offers no WebGPU, so the processor does the work: the same results, many times slower. Current Chrome, Edge and Safari have WebGPU.',
    };
  return {
    backend,
    device: gpu.name,
    software: gpu.software,
    sharedMemory: gpu.sharedMemory,
    features: [...gpu.device.features],
    maxBindingBytes: gpu.device.limits.maxStorageBufferBindingSize,
    maxBufferBytes: gpu.device.limits.maxBufferSize,
    note: gpu.software
      ? 'This browser runs WebGPU on the processor, not on a graphics card: right, but many times slower.'
      : null,
  };
}
