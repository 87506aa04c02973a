/** Sees whether work makes buffers that it should have kept. For tests and the drift benchmark; nothing of a run calls it. */
import { gpu } from './inside';

/** Counts the buffers made on the device from now on, whoever makes them. */
export function countBuffers(): { readonly made: number; stop(): void } {
  const { device } = gpu();
  const make = device.createBuffer;
  let made = 0;
  device.createBuffer = function (this: GPUDevice, descriptor) {
    made++;
    return make.call(this, descriptor);
  };
  return {
    get made() {
      return made;
    },
    stop: () => void Reflect.deleteProperty(device, 'createBuffer'),
  };
}
