/**
 * Gives Node a `navigator.gpu`: Dawn, through the `webgpu` package. Creates no device. Must run before tfjs' WebGPU
 * backend is imported, which registers itself only where `navigator.gpu` exists.
 */
import { prepareVulkan } from './system.mjs';

// Kept on the global object: Node dies with 134 or 139 once the instance has been collected.
/** @type {typeof globalThis & { heldGpu?: GPU }} */
const held = globalThis;

export async function installDawn() {
  if (held.heldGpu) return;
  prepareVulkan(); // Dawn reads the environment when it is loaded; hence the late import
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals); // tfjs' zero-copy path needs GPUBuffer and friends as globals
  held.heldGpu = create([]);
  if (typeof globalThis.navigator === 'undefined')
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true }); // Node 20
  Object.defineProperty(globalThis.navigator, 'gpu', { value: held.heldGpu, configurable: true });
}
