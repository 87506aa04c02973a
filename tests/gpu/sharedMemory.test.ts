/** Whether a GPU uses the machine's memory, told from the names WebGPU gives. */
import { expect, it } from 'vitest';
import { sharesMemory } from '../../src/gpu/device';

it.each([
  ['apple', 'metal-3', true],
  ['intel', 'gen-12lp', true],
  ['intel', 'xe-2hpg', false],
  ['qualcomm', 'adreno-7xx', true],
  ['nvidia', 'ada', false],
  ['amd', 'rdna-3', null],
  ['', '', null],
])('%s %s: %s', (vendor, architecture, shared) => {
  expect(sharesMemory({ vendor, architecture }, false)).toBe(shared);
});

it('a software driver always does', () => {
  expect(sharesMemory({ vendor: 'google', architecture: 'swiftshader' }, true)).toBe(true);
});
