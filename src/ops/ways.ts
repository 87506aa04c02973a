/**
 * Which way each operation is computed on this device: the usual one, or another where the usual one gave wrong results. The
 * self-test finds out (selftest/detours.ts); whoever starts the engine puts the list in force. Stores nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu } from '../gpu/inside';
import { detourInWords, type Detour, type OperationName, type Way } from '../protocol/detours';

let detours = new Map<OperationName, Way | null>();

/** Puts a list in force; an empty one goes back to the usual ways. */
export function useDetours(list: readonly Detour[]): void {
  detours = new Map(list.map(({ operation, way }) => [operation, way]));
}

export function detoursInUse(): Detour[] {
  return [...detours].map(([operation, way]) => ({ operation, way }));
}

export const hasDetour = (operation: OperationName): boolean => detours.has(operation);

/** Throws `NoRightWay` for an operation that nothing computes rightly here. */
export function wayOf(operation: OperationName): Way | 'usual' {
  const way = detours.get(operation);
  if (way === null) throw new NoRightWay(operation);
  return way ?? 'usual';
}

/** Whether a kernel of ours runs it, or operations of TensorFlow.js do. */
export const byKernel = (operation: OperationName): boolean =>
  tf.getBackend() === 'webgpu' && wayOf(operation) !== 'stock';

/** The device computes an operation wrongly in every way there is. */
export class NoRightWay extends Error {
  constructor(readonly operation: OperationName) {
    super(detourInWords({ operation, way: null }));
  }
}

/**
 * What can be tried in the place of the usual way, fastest first. Packed weights have no twin on the device: TensorFlow.js knows
 * neither their words nor shifts. Dropout's twin makes its mask on the processor from a seed that lies on the device.
 */
export function waysAround(operation: OperationName): Way[] {
  const { software, fixedSubgroup } = gpu();
  switch (operation) {
    case 'rmsNorm':
    case 'heads':
    case 'crossEntropy':
    case 'sampleToken':
      return ['single', 'stock'];
    case 'attention':
      if (software && fixedSubgroup > 0) return ['tiles', 'stock'];
      return fixedSubgroup > 0 ? ['lanes', 'stock'] : ['stock'];
    case 'attentionApart':
      return software && fixedSubgroup > 0 ? ['single', 'stock'] : ['stock'];
    case 'glu':
    case 'rows':
    case 'adamw':
    case 'embed f32':
      return ['stock'];
    case 'linear f32':
      return [...products(software), 'stock'];
    case 'linear f16':
    case 'linear q8':
    case 'linear q4':
    case 'linear nf4':
    case 'linear nf4dq':
      return products(software);
    case 'embed f16':
    case 'embed q8':
    case 'embed q4':
    case 'embed nf4':
    case 'embed nf4dq':
    case 'dropout':
      return [];
  }
}

const products = (software: boolean): Way[] => (software ? ['registers', 'tiles'] : ['tiles', 'registers']);
