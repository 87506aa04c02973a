/**
 * The header of a GGUF file, read strictly: every length is held against the file before it is used. Says where each tensor lies
 * and how it is encoded; touches no tensor and knows nothing of what the keys mean. (ggml, docs/gguf.md)
 */
import type { Encoding } from '../checkpoint';
import type { FileBytes } from '../fileBytes';
import { BLOCKS } from '../rows';
import { FormatError } from '../safetensors';
import { ByteReader, MoreBytes } from './byteReader';
import { GGUF } from './writer';

export type GgufScalar = string | number | boolean;
export interface GgufEntry {
  name: string;
  /** Row-major, slowest first. */
  shape: number[];
  encoding: Encoding;
  /** Byte offsets from the start of the file. */
  begin: number;
  end: number;
}
export interface GgufHeader {
  pairs: Map<string, GgufScalar | GgufScalar[]>;
  tensors: Map<string, GgufEntry>;
}

const MAX_PAIRS = 10_000;
const MAX_TENSORS = 100_000;
const MAX_DIMENSIONS = 4;
const MAX_ARRAY = 4_000_000;
/** The tokenizer lies in the header: the largest known have about 20 MB. */
const MAX_HEADER = 128 * 2 ** 20;
const FIRST_READ = 2 ** 20;
/** A key, its type and the shortest value; a name, dimensions, type and offset. */
const LEAST_PAIR = 8 + 4 + 1;
const LEAST_INFO = 8 + 4 + 4 + 8;

/** ggml's numbers of the tensor types that are read. */
const ENCODINGS: Partial<Record<number, Encoding>> = {
  0: 'F32',
  1: 'F16',
  2: 'Q4_0',
  3: 'Q4_1',
  6: 'Q5_0',
  7: 'Q5_1',
  8: 'Q8_0',
  12: 'Q4_K',
  13: 'Q5_K',
  14: 'Q6_K',
  30: 'BF16',
};

/** A file anywhere: its beginning is read, and more of it until the header is whole. */
export async function openGguf(file: FileBytes): Promise<GgufHeader> {
  let bytes = new Uint8Array(0);
  let needed = FIRST_READ;
  for (;;) {
    const until = Math.min(file.size, Math.max(needed, 2 * bytes.length));
    const grown = new Uint8Array(until);
    grown.set(bytes);
    grown.set(await file.read(bytes.length, until), bytes.length);
    bytes = grown;
    try {
      return readHeader(new ByteReader(bytes, file.size));
    } catch (error) {
      if (error instanceof FormatError)
        throw new FormatError(`${file.name}: ${error.message}`, { cause: error });
      if (!(error instanceof MoreBytes)) throw error;
      needed = error.needed;
      if (needed > MAX_HEADER)
        throw new FormatError(
          `${file.name}: the header has more than ${needed} bytes; at most ${MAX_HEADER} are read.`,
        );
    }
  }
}

/** A file in memory. */
export function readGgufHeader(bytes: Uint8Array): GgufHeader {
  return readHeader(new ByteReader(bytes, bytes.length));
}

function readHeader(reader: ByteReader): GgufHeader {
  if (reader.u32('the magic number') !== GGUF.magic)
    throw new FormatError('The file does not start with "GGUF".');
  const version = reader.u32('the version');
  // Version 2 has the same layout; version 3 only allowed big-endian files, whose version reads as 3 · 2^24.
  if (version !== GGUF.version && version !== 2) {
    throw new FormatError(`The file is GGUF version ${version}; versions 2 and ${GGUF.version} are read.`);
  }
  const tensorCount = reader.count('the number of tensors', MAX_TENSORS, LEAST_INFO);
  const pairCount = reader.count('the number of keys', MAX_PAIRS, LEAST_PAIR);
  const pairs: GgufHeader['pairs'] = new Map();
  for (let i = 0; i < pairCount; i++) {
    const key = reader.string('a key');
    if (pairs.has(key)) throw new FormatError(`The key ${key} occurs twice.`);
    pairs.set(key, readValue(reader, key, reader.u32(`the type of ${key}`)));
  }
  const alignment = readAlignment(pairs.get('general.alignment') ?? GGUF.alignment);
  const infos = Array.from({ length: tensorCount }, () => readInfo(reader));
  const dataStart = Math.ceil(reader.at / alignment) * alignment;
  return { pairs, tensors: placeTensors(infos, dataStart, alignment, reader.size) };
}

/** Bytes of the shortest value of each type. */
const LEAST_VALUE = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

function readValue(reader: ByteReader, key: string, type: number): GgufScalar | GgufScalar[] {
  if (type !== GGUF.valueTypes.array) return readScalar(reader, key, type);
  const elementType = reader.u32(`the type of the elements of ${key}`);
  const least = LEAST_VALUE[elementType] ?? 1;
  const count = reader.count(`the number of elements of ${key}`, MAX_ARRAY, least);
  const list: GgufScalar[] = [];
  for (let i = 0; i < count; i++) list.push(readScalar(reader, key, elementType));
  return list;
}

function readScalar(reader: ByteReader, key: string, type: number): GgufScalar {
  switch (type) {
    case 0:
      return reader.u8(key);
    case 1:
      return reader.i8(key);
    case 2:
      return reader.u16(key);
    case 3:
      return reader.i16(key);
    case 4:
      return reader.u32(key);
    case 5:
      return reader.i32(key);
    case 6:
      return reader.f32(key);
    case 7: {
      const value = reader.u8(key);
      if (value > 1) throw new FormatError(`The value of ${key} is ${value}, neither yes (1) nor no (0).`);
      return value === 1;
    }
    case 8:
      return reader.string(key);
    case 10:
      return reader.u64(key);
    case 11:
      return reader.i64(key);
    case 12:
      return reader.f64(key);
    default:
      throw new FormatError(
        `The value of ${key} has type ${type}; 0 to 12 are known, and lists hold no lists.`,
      );
  }
}

function readAlignment(value: GgufScalar | GgufScalar[]): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 8 && value <= 65536) {
    if ((value & (value - 1)) === 0) return value;
  }
  throw new FormatError(`general.alignment is ${String(value)}; a power of two from 8 to 65536 is needed.`);
}

interface TensorInfo {
  name: string;
  shape: number[];
  encoding: Encoding;
  offset: number;
}

function readInfo(reader: ByteReader): TensorInfo {
  const name = reader.string('a tensor name');
  const dimensions = reader.u32(`the dimensions of ${name}`);
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw new FormatError(`${name} has ${dimensions} dimensions; 1 to ${MAX_DIMENSIONS} are read.`);
  }
  const shape = Array.from({ length: dimensions }, () => reader.u64(`the shape of ${name}`)).reverse();
  const type = reader.u32(`the type of ${name}`);
  const encoding = ENCODINGS[type];
  if (!encoding) {
    const known = Object.values(ENCODINGS).join(', ');
    throw new FormatError(`${name} has the ggml type ${type}, which is not read. Read are ${known}.`);
  }
  return { name, shape, encoding, offset: reader.u64(`the offset of ${name}`) };
}

/** Tensors lie one after the other, each padded; nothing overlaps and nothing follows. */
function placeTensors(
  infos: TensorInfo[],
  dataStart: number,
  alignment: number,
  fileSize: number,
): Map<string, GgufEntry> {
  const tensors = new Map<string, GgufEntry>();
  let expected = 0;
  for (const { name, shape, encoding, offset } of [...infos].sort((a, b) => a.offset - b.offset)) {
    if (tensors.has(name)) throw new FormatError(`Two tensors are called ${name}.`);
    if (offset !== expected) throw new FormatError(`${name} begins at ${offset}; expected ${expected}.`);
    const size = sizeOf(name, shape, encoding);
    const begin = dataStart + offset;
    if (begin + size > fileSize) {
      throw new FormatError(`${name} needs ${size} bytes from ${begin}; the file has ${fileSize}.`);
    }
    tensors.set(name, { name, shape, encoding, begin, end: begin + size });
    expected = Math.ceil((offset + size) / alignment) * alignment;
  }
  const end = dataStart + expected;
  if (fileSize > end) throw new FormatError(`The file has ${fileSize} bytes; its tensors end at ${end}.`);
  return tensors;
}

function sizeOf(name: string, shape: number[], encoding: Encoding): number {
  const { numbers, bytes } = BLOCKS[encoding];
  const width = shape.at(-1) ?? 0;
  if (width % numbers !== 0)
    throw new FormatError(`${name} has rows of ${width}; ${encoding} holds whole blocks of ${numbers}.`);
  const size = shape.reduce((product, length) => product * length, bytes) / numbers;
  // a product past 2^53 stays past it, however it is rounded
  if (shape.includes(0) || !Number.isSafeInteger(size))
    throw new FormatError(`The shape of ${name}, [${shape.join(', ')}], is empty or larger than 2^53 bytes.`);
  return size;
}
