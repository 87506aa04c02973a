/** What a screen reader is told while something long is under way. */
import type { DownloadsState } from '../../state/downloads.svelte';
import type { RunState } from '../../state/run.svelte';
import type { ScoringState } from '../../state/scoring.svelte';
import { arrivalInWords } from '../models/words';
import { count, loss } from '../numbers';
import { inWords } from '../train/words';

export function runInWords(run: RunState): string {
  if (run.phase === 'idle') return '';
  if (run.latest === null) return inWords(run.phase);
  return `${inWords(run.phase)}. Step ${run.step} of ${run.total}, loss ${loss(run.latest.loss)}.`;
}

/** A failure is an alert on the page, and not said twice. */
export function scoringInWords({ phase, done, of, scores }: ScoringState): string {
  if (phase === 'scoring')
    return of === 0 ? 'Scoring begins.' : `Scoring: ${count(done)} of ${count(of)} answers.`;
  if (phase === 'unasked') return 'Nothing was scored: this data asks no questions.';
  return scores?.verdict ?? '';
}

export function downloadsInWords({ arriving }: DownloadsState): string {
  return arriving.map(arrivalInWords).join(' ');
}

/** Changes when the screen reader should hear of it at once. */
export function downloadsPhase({ arriving }: DownloadsState): string {
  return arriving.map(({ key, progress, ending }) => `${key} ${progress?.phase} ${ending}`).join();
}
