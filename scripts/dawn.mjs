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
  restBetweenPolls();
  held.heldGpu = create([]);
  if (typeof globalThis.navigator === 'undefined')
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true }); // Node 20
  Object.defineProperty(globalThis.navigator, 'gpu', { value: held.heldGpu, configurable: true });
}

/** Milliseconds for which a wait asks without pause, so that short ones end at once. */
const AT_ONCE = 0.3;
/** Milliseconds between two questions after that. */
const PAUSE = 1;

/**
 * Dawn waits for the GPU by asking again in every turn of the event loop, which takes a core from a driver that runs on the
 * processor; no browser does so. Its questions are the only native functions that are handed to setImmediate: they are slowed down.
 */
function restBetweenPolls() {
  const { setImmediate: immediately, setTimeout: later } = globalThis;
  let asking = false;
  let since = 0;
  globalThis.setImmediate = new Proxy(immediately, {
    apply(target, self, [callback, ...rest]) {
      if (!/\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback)))
        return Reflect.apply(target, self, [callback, ...rest]);
      // a question that leads to the next one belongs to the same wait
      if (!asking) since = performance.now();
      const ask = () => {
        asking = true;
        try {
          callback();
        } finally {
          asking = false;
        }
      };
      return performance.now() - since < AT_ONCE ? immediately(ask) : later(ask, PAUSE);
    },
  });
}
