/** What a device is called on the page and in BENCHMARKS.md: names as Dawn reports them. */
import { expect, it } from 'vitest';
import { deviceName } from '../../src/gpu/device';

const info = (device: string, description: string) => ({
  ...{ vendor: 'nvidia', architecture: 'lovelace', device, description },
});

it.each([
  // Dawn in Node on Linux: the description is the driver's
  ['nvidia-h100', 'NVIDIA: 580.159.04', false, 'nvidia-h100, NVIDIA: 580.159.04'],
  // Chrome with its developer features: the device is a number
  ['0x2684', 'NVIDIA GeForce RTX 4090', false, 'NVIDIA GeForce RTX 4090'],
  ['', 'NVIDIA GeForce RTX 4090', false, 'NVIDIA GeForce RTX 4090'],
  // Chrome as users have it
  ['', '', false, 'nvidia lovelace'],
  ['llvmpipe-llvm-15', 'llvmpipe: Mesa 25.0.7', true, 'llvmpipe: Mesa 25.0.7 (software driver)'],
])('%s, %s', (device, description, software, name) => {
  expect(deviceName(info(device, description), software)).toBe(name);
});
