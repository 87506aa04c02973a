/**
 * Reads the GGUF container strictly: every length is held against the file before it is used. For adapters, whose tensors
 * are F32 or F16. Not for whole models: their quantised types are not read here.
 */
import { float16BitsToFloat32 } from '../checkpoint/halfFloat';
import { FormatError } from '../checkpoint/safetensors';
import { GGUF, type GgufTensor } from './ggufWriter';

export interface GgufFile {
  pairs: Map<string, string | number | boolean>;
  tensors: Map<string, GgufTensor>;
}

const MAX_PAIRS = 1000;
const MAX_TENSORS = 5000;
const MAX_DIMENSIONS = 4;

interface TensorInfo {
  name: string;
  shape: number[];
  type: number;
  offset: number;
}

export function readGguf(bytes: Uint8Array): GgufFile {
  const reader = new ByteReader(bytes);
  if (reader.u32('the magic number') !== GGUF.magic)
    throw new FormatError('The file does not start with "GGUF".');
  const version = reader.u32('the version');
  if (version !== GGUF.version) {
    throw new FormatError(`The file is GGUF version ${version}; version ${GGUF.version} is read.`);
  }
  const tensorCount = reader.count('the number of tensors', MAX_TENSORS);
  const pairCount = reader.count('the number of keys', MAX_PAIRS);
  const pairs: GgufFile['pairs'] = new Map();
  for (let i = 0; i < pairCount; i++) {
    const key = reader.string('a key');
    if (pairs.has(key)) throw new FormatError(`The key ${key} occurs twice.`);
    pairs.set(key, readValue(reader, key));
  }
  const infos = Array.from({ length: tensorCount }, () => readInfo(reader));
  const dataStart = Math.ceil(reader.at / GGUF.alignment) * GGUF.alignment;
  return { pairs, tensors: readTensors(bytes, infos, dataStart) };
}

function readValue(reader: ByteReader, key: string): string | number | boolean {
  const { valueTypes } = GGUF;
  const type = reader.u32(`the type of ${key}`);
  if (type === valueTypes.u32) return reader.u32(key);
  if (type === valueTypes.i32) return reader.i32(key);
  if (type === valueTypes.f32) return reader.f32(key);
  if (type === valueTypes.bool) return reader.u8(key) === 1;
  if (type === valueTypes.string) return reader.string(key);
  throw new FormatError(
    `The value of ${key} has type ${type}; an adapter needs only numbers, strings and yes or no.`,
  );
}

function readInfo(reader: ByteReader): TensorInfo {
  const name = reader.string('a tensor name');
  const dimensions = reader.u32(`the dimensions of ${name}`);
  if (dimensions > MAX_DIMENSIONS) {
    throw new FormatError(`${name} has ${dimensions} dimensions; at most ${MAX_DIMENSIONS} are read.`);
  }
  const shape = Array.from({ length: dimensions }, () => reader.u64(`the shape of ${name}`)).reverse();
  return {
    name,
    shape,
    type: reader.u32(`the type of ${name}`),
    offset: reader.u64(`the offset of ${name}`),
  };
}

/** Tensors lie one after the other, each padded; nothing overlaps and nothing follows. */
function readTensors(bytes: Uint8Array, infos: TensorInfo[], dataStart: number): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  let expected = 0;
  for (const { name, shape, type, offset } of [...infos].sort((a, b) => a.offset - b.offset)) {
    if (tensors.has(name)) throw new FormatError(`Two tensors are called ${name}.`);
    if (type !== GGUF.tensorTypes.F32 && type !== GGUF.tensorTypes.F16) {
      throw new FormatError(`${name} has the type ${type}; 0 (F32) and 1 (F16) are read.`);
    }
    if (offset !== expected) throw new FormatError(`${name} begins at ${offset}; expected ${expected}.`);
    const size = shape.reduce((product, length) => product * length, type === GGUF.tensorTypes.F32 ? 4 : 2);
    const begin = dataStart + offset;
    if (!Number.isSafeInteger(size) || begin + size > bytes.length) {
      throw new FormatError(`${name} needs ${size} bytes from ${begin}; the file has ${bytes.length}.`);
    }
    const copy = bytes.slice(begin, begin + size).buffer;
    const isF32 = type === GGUF.tensorTypes.F32;
    const values = isF32 ? new Float32Array(copy) : float16BitsToFloat32(new Uint16Array(copy));
    tensors.set(name, { name, shape, values });
    expected = Math.ceil((offset + size) / GGUF.alignment) * GGUF.alignment;
  }
  const end = dataStart + expected;
  if (bytes.length > end) {
    throw new FormatError(`The file has ${bytes.length} bytes; its tensors end at ${end}.`);
  }
  return tensors;
}

/** Little-endian values from a position that only moves forward and never past the end. */
class ByteReader {
  at = 0;
  readonly #view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#take(1, what));
  }
  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }
  i32(what: string): number {
    return this.#view.getInt32(this.#take(4, what), true);
  }
  f32(what: string): number {
    return this.#view.getFloat32(this.#take(4, what), true);
  }
  u64(what: string): number {
    const value = this.#view.getBigUint64(this.#take(8, what), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(`${what} is ${value}, past 2^53.`);
    return Number(value);
  }
  count(what: string, most: number): number {
    const value = this.u64(what);
    if (value > most) throw new FormatError(`${what} is ${value}; at most ${most} are read.`);
    return value;
  }
  string(what: string): string {
    const length = this.u64(`the length of ${what}`);
    const begin = this.#take(length, what);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.bytes.subarray(begin, begin + length));
    } catch (cause) {
      throw new FormatError(`${what} at byte ${begin} is not valid UTF-8.`, { cause });
    }
  }

  #take(size: number, what: string): number {
    const begin = this.at;
    if (size > this.bytes.length - begin) {
      throw new FormatError(`${what} needs ${size} bytes at ${begin}; the file has ${this.bytes.length}.`);
    }
    this.at += size;
    return begin;
  }
}
