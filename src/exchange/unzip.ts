/**
 * Reads .zip files from strangers through their central directory, with caps on count and size; stored and deflated entries.
 * Names are labels, never paths: one that climbs or is absolute refuses the file. No encryption, no zip64, no multi-part.
 */
import { FormatError } from '../checkpoint/safetensors';

export interface ZipEntry {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}
export interface ZipLimits {
  maxEntries: number;
  /** Of all entries together, unpacked. */
  maxBytes: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
/** Deflate cannot do better than about 1032 to 1. */
const MAX_RATIO = 1032;

interface Listed {
  name: string;
  flags: number;
  method: number;
  crc: number;
  packed: number;
  size: number;
  offset: number;
}

export async function unzip(bytes: Uint8Array, limits: ZipLimits): Promise<ZipEntry[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const listed = readDirectory(bytes, view, limits.maxEntries).filter(({ name }) => !name.endsWith('/'));
  const total = listed.reduce((sum, { size }) => sum + size, 0);
  if (total > limits.maxBytes) {
    throw new FormatError(`The zip unpacks to ${total} bytes; at most ${limits.maxBytes} are read.`);
  }
  const names = new Set<string>();
  const entries: ZipEntry[] = [];
  for (const entry of listed) {
    checkEntry(entry);
    if (names.has(entry.name)) throw new FormatError(`The zip holds ${entry.name} twice.`);
    names.add(entry.name);
    entries.push({ name: entry.name, bytes: await unpack(bytes, view, entry) });
  }
  return entries;
}

function readDirectory(bytes: Uint8Array, view: DataView, maxEntries: number): Listed[] {
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  if (count > maxEntries)
    throw new FormatError(`The zip holds ${count} files; at most ${maxEntries} are read.`);
  const listed: Listed[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) {
      throw new FormatError(`The zip's list of files breaks off at entry ${i + 1} of ${count}.`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const nameEnd = at + 46 + nameLength;
    if (nameEnd > end)
      throw new FormatError(`The zip's list of files breaks off at entry ${i + 1} of ${count}.`);
    listed.push({
      name: decodeName(bytes.subarray(at + 46, nameEnd)),
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return listed;
}

/** The end record lies in the last 64 KiB, before a comment. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw new FormatError('The file is not a whole zip: its end record is missing.');
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError('The zip holds a file name that is not valid UTF-8.', { cause });
  }
}

function checkEntry({ name, flags, method, packed, size }: Listed): void {
  const climbs = name.split('/').some((part) => part === '..' || part === '.' || part === '');
  const hasControls = [...name].some((char) => char < ' ' || char === '\u007f');
  if (climbs || hasControls || name.includes('\\') || /^[a-z]:/i.test(name)) {
    throw new FormatError(`The zip holds a file with an unsafe name: ${JSON.stringify(name)}.`);
  }
  if ((flags & 1) === 1) throw new FormatError(`${name} in the zip is encrypted.`);
  if (method !== STORED && method !== DEFLATED) {
    throw new FormatError(`${name} in the zip is packed by method ${method}; stored and deflated are read.`);
  }
  if (size > packed * MAX_RATIO) {
    throw new FormatError(`${name} in the zip claims ${size} bytes from ${packed}; that cannot be.`);
  }
}

async function unpack(bytes: Uint8Array, view: DataView, entry: Listed): Promise<Uint8Array<ArrayBuffer>> {
  const { name, offset, packed, size, method, crc } = entry;
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== LOCAL) {
    throw new FormatError(`The zip holds no ${name} where its list says, at byte ${offset}.`);
  }
  const begin = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (begin + packed > bytes.length) {
    throw new FormatError(`${name} needs ${packed} bytes from ${begin}; the zip has ${bytes.length}.`);
  }
  const data = bytes.slice(begin, begin + packed);
  const unpacked = method === STORED ? data : await inflate(data, size, name);
  if (unpacked.length !== size) {
    throw new FormatError(`${name} unpacks to ${unpacked.length} bytes; the zip says ${size}.`);
  }
  if (crc32(unpacked) !== crc) throw new FormatError(`${name} in the zip is damaged: its checksum is wrong.`);
  return unpacked;
}

/** Stops as soon as more comes out than was announced. */
async function inflate(
  data: Uint8Array<ArrayBuffer>,
  size: number,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const output = new Uint8Array(size);
  let at = 0;
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (at + chunk.value.length > size) {
        throw new FormatError(`${name} unpacks to more than the ${size} bytes the zip says.`);
      }
      output.set(chunk.value, at);
      at += chunk.value.length;
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`${name} in the zip cannot be unpacked.`, { cause });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return output.subarray(0, at);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) {
    value = (CRC_TABLE[(value ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
