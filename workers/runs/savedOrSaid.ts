/** What cannot be stored must not end a run: a disk that is full, a database that was closed, a record that is gone. */
import type { RunEvent } from '../../src/protocol/events';
import { failureOf } from '../failures';

/** Whether `work`, which stores something of a run, could. If not, that is said as a warning, and training goes on in memory. */
export async function savedOrSaid(
  emit: (event: RunEvent) => void,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const failure = failureOf(error);
    const message = `${failure.message} Training goes on, but could not be saved.`;
    emit({ type: 'warning', message, failure });
    return false;
  }
}
