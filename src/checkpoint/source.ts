/** A model's tensors by name, one at a time, so that a large model is never held twice. Not a cache: each read decodes. */
import type { Checkpoint } from './checkpoint';
import { decodeRows } from './decodeRows';
import { readRows, sidesOf } from './rows';
import { FormatError } from './safetensors';

export interface WeightSource {
  names(): string[];
  shape(name: string): number[];
  /** A fresh f32 copy, row-major. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

/** Whole tensors of a checkpoint, whatever its form. For models of which one tensor fits in memory. */
export function sourceOf({ tensors }: Checkpoint): WeightSource {
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new FormatError(`The weights hold no tensor ${name}. Is a shard missing?`);
    return tensor;
  };
  return {
    names: () => [...tensors.keys()],
    shape: (name) => [...find(name).shape],
    read: async (name) => {
      const tensor = find(name);
      return decodeRows(tensor, await readRows(tensor, 0, sidesOf(tensor).n));
    },
  };
}
