/**
 * The kinds of things that are kept, in the order in which they take room, with their names and colours for people. `none` is said
 * where there are none of a kind; without it the kind is not spoken of then.
 */
import type { StoredKind } from '../../protocol/models';
import type { Tone } from '../marks/tones';

export const kinds: { kind: StoredKind; title: string; none: string; tone: Tone }[] = [
  { kind: 'model', title: 'Models', none: 'None but those that come with the page.', tone: 'accent' },
  { kind: 'download', title: 'Unfinished downloads', none: 'None.', tone: 'held' },
  { kind: 'run', title: 'Runs and their checkpoints', none: 'None yet.', tone: 'slate' },
  { kind: 'adapter', title: 'Adapters', none: 'None yet.', tone: 'deep' },
  { kind: 'dataset', title: 'Data opened last', none: 'None.', tone: 'bad' },
];
