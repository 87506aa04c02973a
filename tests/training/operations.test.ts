/** What a run needs of its device, and what it says where the device does not give it. */
import { expect, it } from 'vitest';
import { faultsOf, warningsOf, type Detour } from '../../src/protocol/detours';
import { operationsOf } from '../../src/training/operations';

const weights = (settings: Parameters<typeof operationsOf>[0]) =>
  operationsOf(settings).filter((name) => /linear|embed/.test(name));

it('an adapter needs products in f32 beside those of its base, whose embedding may be in another format', () => {
  const method = 'lora' as const;
  expect(weights({ method, weightFormat: 'f16', dropout: 0 })).toEqual([
    'linear f32',
    'linear f16',
    'embed f16',
  ]);
  // a 4-bit base keeps embedding and head at 8 bits
  expect(weights({ method, weightFormat: 'q4', dropout: 0 })).toEqual([
    'linear f32',
    'linear q4',
    'linear q8',
    'embed q8',
  ]);
  expect(weights({ method: 'full', weightFormat: 'q4', dropout: 0 })).toEqual(['linear f32', 'embed f32']);
});

it('dropout is needed where there is some', () => {
  const of = (dropout: number) => operationsOf({ method: 'lora', weightFormat: 'f16', dropout });
  expect(of(0)).not.toContain('dropout');
  expect(of(0.05)).toContain('dropout');
});

const detours: Detour[] = [
  { operation: 'attention', way: 'stock' },
  { operation: 'linear q4', way: 'registers' },
  { operation: 'rmsNorm', way: 'single' },
];

it('one sentence for all detours of a run, and one more where the model was wrong all the same', () => {
  expect(warningsOf([], null)).toEqual([]);
  expect(warningsOf(detours, { detours, right: true, made: 1 })).toEqual([
    'On this graphics card, attention, multiplying by q4 weights, and the norm of a layer give wrong results. Loratory uses slower ways for them.',
  ]);
  expect(warningsOf([], { detours: [], right: false, made: 1 })).toEqual([
    'The self-test has found wrong results on this graphics card. Do not trust the adapter.',
  ]);
});

it('the record of a run names each detour', () => {
  expect(faultsOf(detours.slice(0, 2))).toEqual([
    { step: 0, kind: 'wrong results on this device: attention', done: 'computed by TensorFlow.js' },
    {
      step: 0,
      kind: 'wrong results on this device: multiplying by q4 weights',
      done: 'computed by a plainer kernel',
    },
  ]);
});
