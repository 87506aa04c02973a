/**
 * Every operation by itself: its kernel on the device against its twin on the processor, forward and backward. Where the usual way
 * is wrong the others are tried in turn, and the first that is right stays in force: a list of these is what comes out.
 */
import * as tf from '@tensorflow/tfjs-core';
import { DeviceLost, GpuOutOfMemory } from '../gpu/faults';
import { useDetours, waysAround } from '../ops/ways';
import type { SelfTestCheck } from '../protocol/benchmark';
import type { Detour, OperationName, Way } from '../protocol/detours';
import { relativeL2 } from './distance';
import type { Case, OperationToTest } from './operations';

/** `check` throws what the device reported late; `hear` is told of each check as it is made. */
export async function findDetours(
  operations: readonly OperationToTest[],
  check: () => void,
  hear: (made: SelfTestCheck) => void,
  signal: AbortSignal,
): Promise<Detour[]> {
  const found: Detour[] = [];
  useDetours(found);
  for (const { operation, cases } of operations) {
    const judged: { one: Case; expected: Float32Array[] }[] = [];
    for (const one of cases) judged.push({ one, expected: await expectedOf(one) });
    const right = async (way: Way | null): Promise<boolean> => {
      let all = true;
      for (const { one, expected } of judged) {
        signal.throwIfAborted();
        const { name, tolerance } = one;
        const error = await errorOf(one, expected, check);
        const ok = error <= tolerance;
        hear({ part: 'operations', check: name, error, tolerance, ok, ...(way ? { way } : {}) });
        all &&= ok;
      }
      return all;
    };
    if (await right(null)) continue;
    found.push({ operation, way: await wayAround(operation, found, right) });
    useDetours(found);
  }
  return found;
}

async function wayAround(
  operation: OperationName,
  found: readonly Detour[],
  right: (way: Way) => Promise<boolean>,
): Promise<Way | null> {
  for (const way of waysAround(operation)) {
    useDetours([...found, { operation, way }]);
    if (await right(way)) return way;
  }
  return null;
}

/** What the twin gives on the processor. */
export function expectedOf({ run }: Case): Promise<Float32Array[]> {
  return outputsOn('cpu', run);
}

/** Of the device, relative, the largest of all outputs; infinite where it refused the kernel. */
export async function errorOf(
  { name, run }: Case,
  expected: readonly Float32Array[],
  check: () => void,
): Promise<number> {
  try {
    const ours = await outputsOn('webgpu', run);
    check();
    const error = Math.max(...ours.map((values, index) => relativeL2(values, expected[index] ?? [])));
    return Number.isNaN(error) ? Infinity : error;
  } catch (failure) {
    if (failure instanceof DeviceLost || failure instanceof GpuOutOfMemory) throw failure;
    // a kernel that the device refuses is a result, not the end of the test
    console.error(`Self-test of ${name}:`, failure);
    return Infinity;
  }
}

async function outputsOn(backend: 'cpu' | 'webgpu', run: () => tf.Tensor[]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  try {
    const outputs = tf.tidy(run);
    const values = await Promise.all(outputs.map(async (one) => Float32Array.from(await one.data())));
    tf.dispose(outputs);
    return values;
  } finally {
    await tf.setBackend('webgpu');
  }
}
