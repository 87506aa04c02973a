/** Colours by which the parts of a bar are told apart. Each has the same name in its legend. */
export type Tone = 'accent' | 'deep' | 'held' | 'slate' | 'bad' | 'grey' | 'empty';
