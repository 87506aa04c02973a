/**
 * Little-endian values from a position that only moves forward and never past the end of the file. The bytes at hand may be
 * only its beginning: then MoreBytes says how many are needed.
 */
import { FormatError } from '../safetensors';

/** The beginning that was read is too short; not an error of the file. */
export class MoreBytes extends Error {
  override name = 'MoreBytes';
  constructor(readonly needed: number) {
    super(`The first ${needed} bytes of the file are needed.`);
  }
}

export class ByteReader {
  at = 0;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  /** `bytes`: the beginning of a file of `size` bytes, or all of it. */
  constructor(
    readonly bytes: Uint8Array,
    readonly size: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#take(1, what));
  }
  i8(what: string): number {
    return this.#view.getInt8(this.#take(1, what));
  }
  u16(what: string): number {
    return this.#view.getUint16(this.#take(2, what), true);
  }
  i16(what: string): number {
    return this.#view.getInt16(this.#take(2, what), true);
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
  f64(what: string): number {
    return this.#view.getFloat64(this.#take(8, what), true);
  }
  u64(what: string): number {
    return safe(this.#view.getBigUint64(this.#take(8, what), true), what);
  }
  i64(what: string): number {
    return safe(this.#view.getBigInt64(this.#take(8, what), true), what);
  }
  /** A number of things, each at least `least` bytes long: held against the file before anything is made for them. */
  count(what: string, most: number, least: number): number {
    const value = this.u64(what);
    if (value > most) throw new FormatError(`${what} is ${value}; at most ${most} are read.`);
    if (value * least > this.size - this.at)
      throw new FormatError(`${what} is ${value}; the file has ${this.size - this.at} more bytes.`);
    return value;
  }
  string(what: string): string {
    const length = this.u64(`the length of ${what}`);
    const begin = this.#take(length, what);
    try {
      return this.#decoder.decode(this.bytes.subarray(begin, begin + length));
    } catch (cause) {
      throw new FormatError(`${what} at byte ${begin} is not valid UTF-8.`, { cause });
    }
  }

  #take(size: number, what: string): number {
    const begin = this.at;
    if (size > this.size - begin) {
      throw new FormatError(`${what} needs ${size} bytes at ${begin}; the file has ${this.size}.`);
    }
    if (begin + size > this.bytes.length) throw new MoreBytes(begin + size);
    this.at += size;
    return begin;
  }
}

function safe(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
    throw new FormatError(`${what} is ${value}, past 2^53.`);
  return Number(value);
}
