/** Reads the safetensors files of an oracle folder. */
import { readFileSync } from 'node:fs';
import { readSafetensors, tensorBytes, toFloat32, toInt32 } from '../../src/checkpoint/safetensors';

export interface OracleTensor {
  shape: number[];
  values: Float32Array | Int32Array;
}

export function readTensors(path: string): (name: string) => OracleTensor {
  const bytes = new Uint8Array(readFileSync(path));
  const file = readSafetensors(bytes);
  return (name) => {
    const entry = file.entries.get(name);
    if (!entry)
      throw new Error(`${path} holds no tensor ${name}; it holds ${[...file.entries.keys()].join(', ')}.`);
    const raw = tensorBytes(bytes, entry);
    const whole = entry.dtype.startsWith('I') || entry.dtype.startsWith('U');
    return { shape: entry.shape, values: whole ? toInt32(raw, entry.dtype) : toFloat32(raw, entry.dtype) };
  };
}

export function relativeL2(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length)
    throw new Error(`Compared ${ours.length} numbers with ${theirs.length}.`);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < theirs.length; i++) {
    difference += ((ours[i] ?? NaN) - (theirs[i] ?? NaN)) ** 2;
    size += (theirs[i] ?? NaN) ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), 1e-30);
}
