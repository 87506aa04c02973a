/**
 * Reads safetensors files as strictly as the reference reader, and writes them: nothing of the data is touched before
 * the whole header has been checked. Knows nothing of models; `safetensorsFiles.ts` puts several files together.
 *
 * Layout: u64 little-endian header length · header (UTF-8 JSON, first byte `{`) · data.
 */
import type { FileBytes } from './fileBytes';
import { bfloat16BitsToFloat32, float16BitsToFloat32, float32ToFloat16Bits } from './halfFloat';
import { parseStrictJson } from './strictJson';

/** The file breaks the rules of its format. The message says which rule, where, with both numbers. */
export class FormatError extends Error {
  override name = 'FormatError';
}

export type DType = 'F32' | 'F16' | 'BF16' | 'I32' | 'I64' | 'U8' | 'U32';
const ELEMENT_BYTES: Record<DType, number> = { F32: 4, F16: 2, BF16: 2, I32: 4, I64: 8, U8: 1, U32: 4 };

export interface TensorEntry {
  name: string;
  dtype: DType;
  shape: number[];
  /** Byte offsets from the start of the file. */
  begin: number;
  end: number;
}
export interface SafetensorsFile {
  entries: Map<string, TensorEntry>;
  metadata: Record<string, string>;
}
export interface SafetensorsLimits {
  /** Header bytes; the reference reader stops at 100,000,000. */
  maxHeader?: number;
  maxTensors?: number;
  maxRank?: number;
}

const PREFIX = 8;
const MAX_HEADER = 100_000_000;

/** A file in memory. */
export function readSafetensors(bytes: Uint8Array, limits: SafetensorsLimits = {}): SafetensorsFile {
  const length = readHeaderLength(bytes, bytes.length, limits);
  return readEntries(bytes.subarray(PREFIX, PREFIX + length), bytes.length, limits);
}

/** A file anywhere, by two small reads: its first 8 bytes, then its header. */
export async function openSafetensors(
  file: FileBytes,
  limits: SafetensorsLimits = {},
): Promise<SafetensorsFile> {
  try {
    const length = readHeaderLength(await file.read(0, Math.min(PREFIX, file.size)), file.size, limits);
    return readEntries(await file.read(PREFIX, PREFIX + length), file.size, limits);
  } catch (error) {
    if (error instanceof FormatError)
      throw new FormatError(`${file.name}: ${error.message}`, { cause: error });
    throw error;
  }
}

function readEntries(
  headerBytes: Uint8Array,
  fileLength: number,
  limits: SafetensorsLimits,
): SafetensorsFile {
  const header = readHeader(headerBytes);
  const dataStart = PREFIX + headerBytes.length;
  const entries = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = readMetadata(value);
    else entries.set(name, readEntry(name, value, dataStart, limits.maxRank ?? 8));
  }
  if (limits.maxTensors !== undefined && entries.size > limits.maxTensors) {
    throw new FormatError(`The file lists ${entries.size} tensors; at most ${limits.maxTensors} are read.`);
  }
  checkCoverage([...entries.values()], dataStart, fileLength);
  return { entries, metadata };
}

/** The bytes of one tensor, a view into the file. */
export function tensorBytes(bytes: Uint8Array, entry: TensorEntry): Uint8Array {
  return bytes.subarray(entry.begin, entry.end);
}

/** A fresh f32 copy of a float tensor; 16-bit kinds are widened exactly. */
export function toFloat32(
  bytes: Uint8Array,
  dtype: DType,
  values = new Float32Array(bytes.length / ELEMENT_BYTES[dtype]),
): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') {
    new Uint8Array(values.buffer, values.byteOffset, bytes.length).set(bytes);
    return values;
  }
  // widening makes a copy; one before it is needed only where 16-bit numbers may not begin
  const { buffer, byteOffset } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const halves = () => new Uint16Array(buffer, byteOffset, bytes.length / 2);
  if (dtype === 'F16') return float16BitsToFloat32(halves(), values);
  if (dtype === 'BF16') return bfloat16BitsToFloat32(halves(), values);
  throw new FormatError(`A tensor of type ${dtype} was found where F32, F16 or BF16 was expected.`);
}

/** A fresh copy of an integer tensor; I64 values must fit 32 bits. */
export function toInt32(bytes: Uint8Array, dtype: DType): Int32Array<ArrayBuffer> {
  const copy = bytes.slice().buffer;
  if (dtype === 'I32') return new Int32Array(copy);
  if (dtype === 'U8') return Int32Array.from(new Uint8Array(copy));
  if (dtype !== 'I64') {
    throw new FormatError(`A tensor of type ${dtype} was found where I32, I64 or U8 was expected.`);
  }
  return Int32Array.from(new BigInt64Array(copy), (value) => {
    if (value !== BigInt.asIntN(32, value))
      throw new FormatError(`The integer ${value} does not fit 32 bits.`);
    return Number(value);
  });
}

export interface TensorToWrite {
  name: string;
  dtype: 'F32' | 'F16';
  shape: number[];
  values: Float32Array;
}

/** The header is padded with spaces so that the data starts 8-byte aligned. */
export function writeSafetensors(
  tensors: TensorToWrite[],
  metadata?: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let size = 0;
  for (const { name, dtype, shape, values } of tensors) {
    const elements = shape.reduce((product, length) => product * length, 1);
    if (elements !== values.length) {
      throw new FormatError(`${name} has ${values.length} values; [${shape.join(', ')}] takes ${elements}.`);
    }
    if (Object.hasOwn(header, name)) throw new FormatError(`Two tensors are called ${name}.`);
    const end = size + elements * ELEMENT_BYTES[dtype];
    header[name] = { dtype, shape, data_offsets: [size, end] };
    size = end;
  }
  const json = JSON.stringify(header);
  const unpadded = new TextEncoder().encode(json).length;
  const headerBytes = new TextEncoder().encode(json + ' '.repeat(-unpadded & 7));
  const file = new Uint8Array(PREFIX + headerBytes.length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes.length), true);
  file.set(headerBytes, PREFIX);
  let at = PREFIX + headerBytes.length;
  for (const { dtype, values } of tensors) {
    const data = dtype === 'F16' ? float32ToFloat16Bits(values) : values;
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/** `start`: at least the first 8 bytes, or all of a shorter file. */
function readHeaderLength(start: Uint8Array, fileLength: number, limits: SafetensorsLimits): number {
  const { maxHeader = MAX_HEADER } = limits;
  if (start.length < PREFIX) {
    throw new FormatError(
      `The file has ${start.length} bytes; a safetensors file has at least ${PREFIX + 2}.`,
    );
  }
  const length = new DataView(start.buffer, start.byteOffset, PREFIX).getBigUint64(0, true);
  if (length > BigInt(maxHeader)) {
    throw new FormatError(`The header claims ${length} bytes; at most ${maxHeader} are read.`);
  }
  const available = fileLength - PREFIX;
  if (length > BigInt(available)) {
    throw new FormatError(
      `The header claims ${length} bytes; the file has ${available} after its first ${PREFIX}.`,
    );
  }
  return Number(length);
}

function readHeader(headerBytes: Uint8Array): Record<string, unknown> {
  if (headerBytes[0] !== 0x7b) throw new FormatError('The header does not start with "{".');
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(headerBytes);
    header = parseStrictJson(text, { maxDepth: 8 });
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? cause.message : 'it is not valid UTF-8';
    throw new FormatError(`The header cannot be read: ${reason}.`, { cause });
  }
  if (!isRecord(header)) throw new FormatError('The header is not a JSON object.');
  return header;
}

function readMetadata(value: unknown): Record<string, string> {
  if (!isRecord(value)) throw new FormatError('"__metadata__" is not an object.');
  const metadata: Record<string, string> = {};
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new FormatError(`"__metadata__" holds ${key}, which is not a string.`);
    metadata[key] = text;
  }
  return metadata;
}

function readEntry(name: string, value: unknown, dataStart: number, maxRank: number): TensorEntry {
  if (!isRecord(value)) throw new FormatError(`The header entry of ${name} is not an object.`);
  const extra = Object.keys(value).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (extra !== undefined)
    throw new FormatError(`The header entry of ${name} has an unknown key "${extra}".`);
  const dtype = value['dtype'];
  if (!isDType(dtype)) {
    const known = Object.keys(ELEMENT_BYTES).join(', ');
    throw new FormatError(`${name} has the type ${JSON.stringify(dtype)}; ${known} can be read.`);
  }
  const shape = readSizes(value['shape'], `the shape of ${name}`);
  if (shape.length > maxRank) {
    throw new FormatError(`${name} has ${shape.length} dimensions; at most ${maxRank} are read.`);
  }
  const [begin, end, ...rest] = readSizes(value['data_offsets'], `the offsets of ${name}`);
  if (begin === undefined || end === undefined || rest.length > 0 || begin > end) {
    throw new FormatError(`The offsets of ${name} are not [begin, end] with begin ≤ end.`);
  }
  const expected = shape.reduce((product, size) => safe(product * size, name), 1) * ELEMENT_BYTES[dtype];
  if (safe(expected, name) !== end - begin) {
    throw new FormatError(
      `${name} has ${end - begin} bytes; ${dtype} [${shape.join(', ')}] takes ${expected}.`,
    );
  }
  return { name, dtype, shape, begin: safe(dataStart + begin, name), end: safe(dataStart + end, name) };
}

/** No holes, no overlap, nothing before the first or after the last tensor. */
function checkCoverage(entries: TensorEntry[], dataStart: number, fileLength: number): void {
  let at = dataStart;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== at) {
      const what = entry.begin < at ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw new FormatError(`${entry.name} ${what}: it begins at byte ${entry.begin}, expected ${at}.`);
    }
    at = entry.end;
  }
  if (at === fileLength) return;
  const what = at > fileLength ? 'The file is cut short' : 'The file has bytes after its last tensor';
  throw new FormatError(`${what}: the tensors end at byte ${at}, the file at ${fileLength}.`);
}

function readSizes(value: unknown, what: string): number[] {
  if (!Array.isArray(value)) throw new FormatError(`In the header, ${what} is not a list.`);
  return value.map((size: unknown) => {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw new FormatError(`In the header, ${what} holds ${String(size)}, which is not a size.`);
    }
    return size;
  });
}

function safe(size: number, name: string): number {
  if (!Number.isSafeInteger(size)) throw new FormatError(`The size of ${name} is larger than 2^53 bytes.`);
  return size;
}

function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(ELEMENT_BYTES, value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
