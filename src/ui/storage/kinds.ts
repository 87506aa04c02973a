/** The kinds of things that are kept, in the order in which they take room, with their names for people. */
import type { StoredKind } from '../../protocol/models';

export const kinds: { kind: StoredKind; title: string; none: string }[] = [
  { kind: 'model', title: 'Models', none: 'None but those that come with the page.' },
  { kind: 'download', title: 'Unfinished downloads', none: 'None.' },
  { kind: 'run', title: 'Runs and their checkpoints', none: 'None yet.' },
  { kind: 'adapter', title: 'Adapters', none: 'None yet.' },
];
