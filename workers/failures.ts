/** What went wrong, as data that survives a thread. The one place where errors become failures. */
import { DataProblem } from '../src/dataset/problem';
import { AdapterError } from '../src/exchange/adapterError';
import { FormatError } from '../src/checkpoint/safetensors';
import { DeviceLost, GpuError, GpuOutOfMemory } from '../src/gpu/faults';
import { NoRightWay } from '../src/ops/ways';
import { HubError } from '../src/hub/hubError';
import type { Result } from '../src/protocol/result';
import type { Failure } from '../src/protocol/events';
import { StorageDamaged, StorageFull } from '../src/storage/database';
import { WrongHash } from '../src/storage/keepModel';
import { NotFinite } from '../src/training/run';

/** Another tab trains, or holds the lock of this model. */
export class BusyElsewhere extends Error {
  constructor(message = 'Another tab is training. Watch it there, or close that tab and try again.') {
    super(message);
  }
}

/** A mistake that a person can mend, found in the worker itself. */
export class BadRequest extends Error {}

export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof StorageFull) return { kind: 'quota', message, needed: error.needed };
  if (error instanceof AdapterError)
    return { kind: 'wrong-base', message, expected: error.expected, found: error.found };
  if (error instanceof DeviceLost) return { kind: 'device-lost', message, reason: error.reason };
  if (error instanceof GpuOutOfMemory) return { kind: 'out-of-memory', message, needed: 0, available: 0 };
  if (error instanceof HubError) return { kind: 'hub', message, reason: error.reason, status: error.status };
  if (error instanceof WrongHash) return { kind: 'hub', message, reason: 'wrong-hash', status: null };
  if (error instanceof BusyElsewhere) return { kind: 'busy-elsewhere', message };
  if (error instanceof NoRightWay) return { kind: 'wrong-results', message };
  if (error instanceof GpuError) return { kind: 'gpu-error', message };
  if (error instanceof NotFinite) return { kind: 'not-finite', message, step: error.step };
  const mendable = [BadRequest, DataProblem, FormatError, StorageDamaged];
  return { kind: mendable.some((kind) => error instanceof kind) ? 'bad-input' : 'internal', message };
}

export async function attempt<T>(work: () => T | Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}
