/** A model's tensors by name, one at a time, so that a large model is never held twice. Not a cache: each read decodes. */
import { FormatError, readSafetensors, tensorBytes, toFloat32, type TensorEntry } from './safetensors';

export interface WeightSource {
  names(): string[];
  shape(name: string): number[];
  /** A fresh f32 copy, row-major. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

/** One file, or all shards of a sharded model. A name that two shards hold is an error. */
export function sourceFromSafetensors(files: Uint8Array[]): WeightSource {
  const tensors = new Map<string, { file: Uint8Array; entry: TensorEntry }>();
  for (const file of files) {
    for (const entry of readSafetensors(file).entries.values()) {
      if (tensors.has(entry.name)) {
        throw new FormatError(`The tensor ${entry.name} is in two of the ${files.length} weight files.`);
      }
      tensors.set(entry.name, { file, entry });
    }
  }
  const find = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new FormatError(`The weights hold no tensor ${name}. Is a shard missing?`);
    return tensor;
  };
  return {
    names: () => [...tensors.keys()],
    shape: (name) => [...find(name).entry.shape],
    read: async (name) => {
      const { file, entry } = find(name);
      return toFloat32(tensorBytes(file, entry), entry.dtype);
    },
  };
}
