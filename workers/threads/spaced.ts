/** Progress as messages to the page, not more often than is needed: a message is sent at once, also from the middle of a long computation. */
import type { PrepareProgress } from '../../src/protocol/datasetApi';
import type { Milliseconds } from '../../src/units';

const SPACE: Milliseconds = 100;

/** The first of a stage is always told: it may be all that is heard of it. */
export function spaced(
  tell: (progress: PrepareProgress) => void,
  now: () => Milliseconds = () => performance.now(),
): (progress: PrepareProgress) => void {
  let told: { stage: PrepareProgress['stage']; at: Milliseconds } | null = null;
  return (progress) => {
    if (told?.stage === progress.stage && now() - told.at < SPACE) return;
    told = { stage: progress.stage, at: now() };
    tell(progress);
  };
}
