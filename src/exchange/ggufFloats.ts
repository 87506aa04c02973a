/** A small GGUF file of plain numbers, F32 or F16, read whole: adapters. Models are opened by `checkpoint/gguf`. */
import { readGgufHeader, type GgufHeader } from '../checkpoint/gguf/container';
import type { GgufTensor } from '../checkpoint/gguf/writer';
import { FormatError, toFloat32 } from '../checkpoint/safetensors';

export interface GgufFile {
  pairs: GgufHeader['pairs'];
  tensors: Map<string, GgufTensor>;
}

export function readGguf(bytes: Uint8Array): GgufFile {
  const { pairs, tensors } = readGgufHeader(bytes);
  const read = [...tensors.values()].map(({ name, shape, encoding, begin, end }): [string, GgufTensor] => {
    if (encoding !== 'F32' && encoding !== 'F16')
      throw new FormatError(`${name} is ${encoding}; adapters of F32 and F16 are read.`);
    return [name, { name, shape, values: toFloat32(bytes.subarray(begin, end), encoding) }];
  });
  return { pairs, tensors: new Map(read) };
}
