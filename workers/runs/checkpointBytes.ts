/** A run's checkpoint as one block of bytes: parameters, moments and, where there is one, the best parameters so far. */
import type { Checkpoint as StoredForm } from '../../src/storage/checkpoints';
import type { Checkpoint } from '../../src/training/run';
import type { Watch } from '../../src/training/stopping';
import { BadRequest } from '../failures';

/** How the numbers lie, as src/adapter places them; one more whenever that changes. */
const LAYOUT = 2;

interface Meta {
  layout: number;
  count: number;
  hasBest: boolean;
  watch: Watch;
}

export function packCheckpoint({ step, parameters, mean, square, best, watch }: Checkpoint): StoredForm {
  const parts = [parameters, mean, square, ...(best ? [best] : [])];
  const count = parameters.length;
  const all = new Float32Array(count * parts.length);
  parts.forEach((part, index) => all.set(part, index * count));
  const meta: Meta = { layout: LAYOUT, count, hasBest: best !== null, watch };
  return { step, bytes: all.buffer, meta };
}

export function unpackCheckpoint({ step, bytes, meta }: StoredForm): Checkpoint {
  const { layout, count, hasBest, watch } = meta as Meta;
  if (layout !== LAYOUT)
    throw new BadRequest(
      'This run was interrupted under another version of this page, which kept its numbers in another order. Start it anew.',
    );
  const all = new Float32Array(bytes);
  const part = (index: number) => all.slice(index * count, (index + 1) * count);
  return {
    step,
    parameters: part(0),
    mean: part(1),
    square: part(2),
    best: hasBest ? part(3) : null,
    watch,
  };
}
