/** The phases of a run in words for people. */
import type { Level } from '../../guide/layersKept';
import type { MemoryPart } from '../../protocol/events';
import type { FinishReason } from '../../protocol/events';
import { fieldNotes } from '../../protocol/settingNotes';
import { TARGETS } from '../../protocol/settings';
import type { Draft, Field } from '../../state/form.svelte';
import type { Phase } from '../../state/run.svelte';

const phases: Record<Phase, string> = {
  idle: 'No run yet',
  preparing: 'Packing the rows',
  loading: 'Loading',
  waiting: 'Waiting for the GPU',
  running: 'Training',
  paused: 'Paused',
  stopping: 'Stopping after this step',
  finished: 'Finished',
  failed: 'Stopped by a failure',
};
export const inWords = (phase: Phase): string => phases[phase];

export const reasons: Record<FinishReason, string> = {
  completed: 'All steps are done.',
  'early-stop':
    'Stopped early: the held-out loss no longer fell, so more steps would only learn the rows by heart.',
  stopped: 'Stopped by you. The best adapter up to here is kept.',
  'not-finite':
    'Ended early: a gradient was no longer a finite number. The best adapter up to there is kept; try a lower learning rate.',
};

/** In the place of a reason where no step was done. */
export const NOTHING = 'Stopped before the first step: nothing was learned, and nothing is kept.';

export const memoryParts: Record<MemoryPart['part'], { label: string; explain: string }> = {
  weights: { label: 'Base weights', explain: 'The frozen model.' },
  adapter: { label: 'Adapter', explain: 'What is trained, and its gradients.' },
  optimizer: { label: 'Optimiser', explain: 'Two running averages for every trained number.' },
  activations: { label: 'Activations', explain: 'What each layer keeps for the way back.' },
  head: { label: 'Vocabulary head', explain: 'Scores of every possible next token.' },
  staging: { label: 'Staging', explain: 'Buffers for moving data to and from the GPU.' },
};

/** The value of a setting as the form shows it. */
export function written(field: Field, value: Draft[Field]): string {
  if (value === null) return 'empty';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.length === TARGETS.length ? 'all seven' : value.join(', ');
  return fieldNotes[field].options?.find((option) => option.value === value)?.label ?? String(value);
}

/** What is kept for the way back. */
export function layersInWords({ kept, layers }: Level): string {
  if (kept === 0) return 'Every layer computed again on the way back';
  return kept >= layers ? `All ${layers} layers kept` : `The last ${kept} of ${layers} layers kept`;
}
