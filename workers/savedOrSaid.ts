/** A full disk must not end a run. */
import type { RunEvent } from '../src/protocol/events';
import { failureOf } from './failures';

/** Whether `work` could be stored. A full disk is said as a warning, and training goes on in memory; other errors are thrown on. */
export async function savedOrSaid(
  emit: (event: RunEvent) => void,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind !== 'quota') throw error;
    const message = `${failure.message} Training goes on, but could not be saved.`;
    emit({ type: 'warning', message, failure });
    return false;
  }
}
