/** Fit, formats and downloads in words for people. */
import type { Change } from '../../guide/fitChange';
import type { Judgement, Verdict } from '../../guide/fit';
import type { DownloadProgress, Losses } from '../../protocol/models';
import { fieldNotes } from '../../protocol/settingNotes';
import type { Settings } from '../../protocol/settings';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Arriving } from '../../state/downloads.svelte';
import { bytes, count, duration, percentDone, plural } from '../numbers';

export const verdicts: Record<Verdict, { label: string; tone: 'good' | 'warn' | 'bad' }> = {
  fits: { label: 'Fits', tone: 'good' },
  tight: { label: 'Tight', tone: 'warn' },
  no: { label: 'Too large', tone: 'bad' },
};

export function formatName(format: WeightFormat): string {
  return fieldNotes.weightFormat.options?.find(({ value }) => value === format)?.label ?? format;
}

export function fitInWords({ verdict, needed, budget, tooLarge }: Judgement): string {
  if (tooLarge !== null)
    return `Training needs one buffer of ${bytes(tooLarge.bytes)}; this GPU takes ${bytes(tooLarge.limit)} at once.`;
  const room = bytes(budget.bytes);
  switch (verdict) {
    case 'fits':
      return `Training takes about ${bytes(needed)} of the ${room} counted on.`;
    case 'tight':
      return `Training takes about ${bytes(needed)}, nearly all of the ${room} counted on. Close other programs that use the GPU.`;
    case 'no':
      return `Training takes about ${bytes(needed)}; ${room} are counted on.`;
    default:
      verdict satisfies never;
      return '';
  }
}

export function changeInWords({ settings, verdict }: Change): string {
  const parts = partsOf(settings);
  const last = parts.at(-1) ?? '';
  const list = parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${last}` : last;
  return `It would ${verdict === 'fits' ? 'fit' : 'just fit'} with ${list}.`;
}

function partsOf(settings: Partial<Settings>): string[] {
  const { method, keptLayers, halfInputs, weightFormat, batchExamples, rank, sequenceLength } = settings;
  return [
    ...(method === 'lora' ? ['an adapter instead of all weights'] : []),
    ...(keptLayers === undefined || method !== undefined
      ? []
      : [keptLayers === 0 ? 'all layers computed again' : `${keptLayers} layers kept for the way back`]),
    ...(halfInputs ? ['half floats for the inputs of layers'] : []),
    ...(weightFormat === undefined ? [] : [`${formatName(weightFormat)} weights`]),
    ...(batchExamples === undefined
      ? []
      : [`a batch of ${count(batchExamples)} ${batchExamples === 1 ? 'example' : 'examples'}`]),
    ...(rank === undefined ? [] : [`rank ${rank}`]),
    ...(sequenceLength === undefined ? [] : [`sequences of ${count(sequenceLength)} tokens`]),
  ];
}

/** What became of weights that the kept form cannot hold; null where all are as near as the form allows. */
export function lossesInWords({ saturated, flushed, notFinite }: Losses): string | null {
  const parts = [
    ...(notFinite === 0 ? [] : [`${plural(notFinite, 'is', 'are')} no finite number in its files`]),
    ...(saturated === 0
      ? []
      : [`${plural(saturated, 'was', 'were')} too large for 16 bits and became ±65,504`]),
    ...(flushed === 0 ? [] : [`${plural(flushed, 'was', 'were')} too small for 16 bits and became 0`]),
  ];
  if (parts.length === 0) return null;
  return `Of its weights, ${parts.join('; ')}.`;
}

const phases: Record<DownloadProgress['phase'], string> = {
  asking: 'Asking the hub',
  weights: 'Bringing in the weights',
  waiting: 'Waiting',
  checking: 'Checking',
};

/** One line under the bar. */
export function progressInWords({ progress, ending, from }: Arriving): string {
  if (ending === 'pausing') return 'Pausing: what has been checked stays.';
  if (ending === 'cancelling') return 'Cancelling…';
  if (progress === null) return from === 'files' ? 'Reading the files…' : 'Asking the hub…';
  const { phase, bytesDone, bytesTotal, bytesPerSecond, etaSeconds, message } = progress;
  const told = message ?? phases[phase];
  if (phase === 'waiting' || phase === 'asking') return `${told}.`.replace(/\.\.$/, '.');
  return [
    told,
    `${bytes(bytesDone)} of ${bytes(bytesTotal)}`,
    ...(bytesPerSecond === null ? [] : [`${bytes(bytesPerSecond)}/s`]),
    ...(etaSeconds === null ? [] : [`about ${duration(Math.max(1, Math.round(etaSeconds)) * 1000)} left`]),
  ].join(' · ');
}

export function shareOf({ progress }: Arriving): number {
  return progress === null || progress.bytesTotal === 0 ? 0 : progress.bytesDone / progress.bytesTotal;
}

/** For a screen reader, short. */
export function arrivalInWords(one: Arriving): string {
  const { progress } = one;
  if (progress === null || progress.phase !== 'weights') return `${one.name}: ${progressInWords(one)}`;
  const { etaSeconds } = progress;
  const left =
    etaSeconds === null ? '' : `, about ${duration(Math.max(1, Math.round(etaSeconds)) * 1000)} left`;
  return `${one.name}: ${percentDone(shareOf(one))} is here${left}.`;
}
