/** What a screen reader is told while something long is under way. */
import type { DownloadsState } from '../../state/downloads.svelte';
import type { RunState } from '../../state/run.svelte';
import { arrivalInWords } from '../models/words';
import { loss } from '../numbers';
import { inWords } from '../train/words';

export function runInWords(run: RunState): string {
  if (run.phase === 'idle') return '';
  if (run.latest === null) return inWords(run.phase);
  return `${inWords(run.phase)}. Step ${run.step} of ${run.total}, loss ${loss(run.latest.loss)}.`;
}

export function downloadsInWords({ arriving }: DownloadsState): string {
  return arriving.map(arrivalInWords).join(' ');
}

/** Changes when the screen reader should hear of it at once. */
export function downloadsPhase({ arriving }: DownloadsState): string {
  return arriving.map(({ key, progress, ending }) => `${key} ${progress?.phase} ${ending}`).join();
}
