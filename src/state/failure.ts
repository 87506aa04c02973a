/** Turns what a call threw (a worker that died, a fetch that failed) into a failure the screen can show. */
import type { Failure } from '../protocol/events';

export function failureFrom(thrown: unknown, doing: string): Failure {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return { kind: 'internal', message: `${doing} did not work: ${reason}` };
}
