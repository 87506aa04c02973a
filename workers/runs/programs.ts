/** The graphics card's programs for a run: made while its weights come in, and waited for in plain words where that takes longer. */
import { rehearseRun } from '../../src/training/rehearseRun';
import type { RunEvent } from '../../src/protocol/events';
import { machine } from '../device/machine';

type RehearsedRun = Parameters<typeof rehearseRun>[0];

/** Begins to make them. Await the result's call before the first step; it throws what the device reported meanwhile. */
export async function beginPrograms(
  run: RehearsedRun,
  emit: (event: RunEvent) => void,
): Promise<() => Promise<void>> {
  const { gpu } = await machine();
  if (!gpu) return () => Promise.resolve();
  const rehearsal = rehearseRun(run);
  return () =>
    rehearsal.ready((done, total) =>
      emit({ type: 'loading', what: 'Preparing the graphics card’s programs', done, total }),
    );
}
