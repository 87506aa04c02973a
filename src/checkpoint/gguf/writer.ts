/**
 * Writes the GGUF container, version 3: key-value pairs, tensor infos, then the tensors as F32, each padded to 32 bytes.
 * Knows nothing of what the keys mean.
 */
import { FormatError } from '../safetensors';

export type GgufValue =
  | { type: 'u32' | 'i32' | 'f32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: string[] }
  | { type: 'i32s'; value: number[] };

export interface GgufTensor {
  name: string;
  /** Row-major shape, slowest first. GGUF lists it the other way round. */
  shape: number[];
  values: Float32Array;
}

/** Numbers of the format. */
export const GGUF = {
  magic: 0x46554747,
  version: 3,
  alignment: 32,
  maxName: 63,
  valueTypes: { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 },
  tensorTypes: { F32: 0, F16: 1 },
} as const;

export function writeGguf(pairs: Map<string, GgufValue>, tensors: GgufTensor[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter();
  out.u32(GGUF.magic);
  out.u32(GGUF.version);
  out.u64(tensors.length);
  out.u64(pairs.size);
  for (const [key, value] of pairs) {
    out.string(key);
    writeValue(out, value);
  }
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    checkTensor(name, shape, values);
    out.string(name);
    out.u32(shape.length);
    for (const size of [...shape].reverse()) out.u64(size);
    out.u32(GGUF.tensorTypes.F32);
    out.u64(offset);
    offset += align(values.byteLength);
  }
  out.pad(GGUF.alignment);
  for (const { values } of tensors) {
    out.bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    out.pad(GGUF.alignment);
  }
  return out.finish();
}

function writeValue(out: ByteWriter, value: GgufValue): void {
  const { valueTypes } = GGUF;
  switch (value.type) {
    case 'u32':
    case 'i32':
    case 'f32':
      out.u32(valueTypes[value.type]);
      return out[value.type](value.value);
    case 'bool':
      out.u32(valueTypes.bool);
      return out.bytes(Uint8Array.of(value.value ? 1 : 0));
    case 'string':
      out.u32(valueTypes.string);
      return out.string(value.value);
    case 'strings':
      out.array(valueTypes.string, value.value.length);
      return value.value.forEach((text) => out.string(text));
    case 'i32s':
      out.array(valueTypes.i32, value.value.length);
      return value.value.forEach((number) => out.i32(number));
    default:
      value satisfies never;
  }
}

function checkTensor(name: string, shape: number[], values: Float32Array): void {
  if (new TextEncoder().encode(name).length > GGUF.maxName) {
    throw new FormatError(`The tensor name ${name} is longer than the ${GGUF.maxName} bytes GGUF allows.`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements !== values.length) {
    throw new FormatError(`${name} has ${values.length} values; [${shape.join(', ')}] takes ${elements}.`);
  }
}

const align = (size: number) => Math.ceil(size / GGUF.alignment) * GGUF.alignment;

/** A buffer that grows; little-endian. */
class ByteWriter {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u32(value: number): void {
    this.#view.setUint32(this.#reserve(4), value, true);
  }
  i32(value: number): void {
    this.#view.setInt32(this.#reserve(4), value, true);
  }
  f32(value: number): void {
    this.#view.setFloat32(this.#reserve(4), value, true);
  }
  u64(value: number): void {
    this.#view.setBigUint64(this.#reserve(8), BigInt(value), true);
  }
  bytes(values: Uint8Array): void {
    const at = this.#reserve(values.length);
    this.#bytes.set(values, at);
  }
  string(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u64(encoded.length);
    this.bytes(encoded);
  }
  array(elementType: number, length: number): void {
    this.u32(GGUF.valueTypes.array);
    this.u32(elementType);
    this.u64(length);
  }
  pad(alignment: number): void {
    this.#reserve((alignment - (this.#length % alignment)) % alignment);
  }
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  /** The place of the next `size` bytes, which are zero until written. */
  #reserve(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
