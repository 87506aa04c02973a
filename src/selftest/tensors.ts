/** Tensors of a safetensors file by name, as plain numbers: what an oracle wrote down. */
import { readSafetensors, tensorBytes, toFloat32, toInt32 } from '../checkpoint/safetensors';

export interface OracleTensor {
  shape: number[];
  values: Float32Array | Int32Array;
}

/** `path` is for the error alone. */
export function tensorsOf(path: string, bytes: Uint8Array): (name: string) => OracleTensor {
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
