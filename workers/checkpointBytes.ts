/** A run's checkpoint as one block of bytes: parameters, moments and, where there is one, the best parameters so far. */
import type { Checkpoint as StoredForm } from '../src/storage/checkpoints';
import type { Checkpoint } from '../src/training/run';
import type { Watch } from '../src/training/stopping';

interface Meta {
  count: number;
  hasBest: boolean;
  watch: Watch;
}

export function packCheckpoint({ step, parameters, mean, square, best, watch }: Checkpoint): StoredForm {
  const parts = [parameters, mean, square, ...(best ? [best] : [])];
  const count = parameters.length;
  const all = new Float32Array(count * parts.length);
  parts.forEach((part, index) => all.set(part, index * count));
  const meta: Meta = { count, hasBest: best !== null, watch };
  return { step, bytes: all.buffer, meta };
}

export function unpackCheckpoint({ step, bytes, meta }: StoredForm): Checkpoint {
  const { count, hasBest, watch } = meta as Meta;
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
