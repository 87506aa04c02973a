/** A model's tensors, wherever they lie: piece by piece for the device, or one at a time as numbers. Not a cache. */
import { usableFormat, type WeightFormat } from '../protocol/weightFormats';
import type { Checkpoint } from './checkpoint';
import { decodeRows } from './decodeRows';
import { piecesOf, type Piece } from './pieces';
import { encode } from './planes';
import { readRows, sidesOf } from './rows';
import { FormatError } from './safetensors';

export interface WeightSource {
  names(): string[];
  shape(name: string): number[];
  /** A fresh f32 copy, row-major. */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /** Every tensor by whole rows, in the order in which they lie; matrices in the format wished for, where it suits them. */
  pieces(wish: (name: string) => WeightFormat): AsyncIterable<Piece>;
  /** The form of fewer than 16 bits that matrices went through before, so that `read` gives rounded numbers; else null. */
  rounded: WeightFormat | null;
}

/** A source whose tensors are made or read whole. */
export function sourceOfValues(
  shapes: ReadonlyMap<string, number[]>,
  read: WeightSource['read'],
): WeightSource {
  const shape = (name: string) => {
    const found = shapes.get(name);
    if (!found) throw new FormatError(`The weights hold no tensor ${name}.`);
    return [...found];
  };
  return {
    names: () => [...shapes.keys()],
    shape,
    read,
    rounded: null,
    async *pieces(wish) {
      for (const [name, [n = 0, k]] of shapes) {
        const format = k === undefined ? 'f32' : usableFormat(wish(name), n, k);
        const planes = encode(await read(name), format);
        yield { tensor: name, row: 0, rows: k === undefined ? 1 : n, format, planes };
      }
    },
  };
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
    pieces: (wish) => piecesOf([...tensors.values()], wish),
    rounded: null,
  };
}
