/**
 * One file of a checkpoint by its bytes, wherever it lies: in memory, on the disk of the person, on a hub. Nothing asks for
 * the whole of it.
 */
import type { Bytes } from '../units';

export interface FileBytes {
  /** Its name in the repository, e.g. "model-00001-of-00002.safetensors". */
  name: string;
  size: Bytes;
  /** Bytes `begin` to before `end`: for headers, at most a few MiB. */
  read(begin: Bytes, end: Bytes): Promise<Uint8Array<ArrayBuffer>>;
  /** The same bytes in order, in pieces of the file's own choosing, each at most 8 MiB and in memory that is the taker's. */
  stream(begin: Bytes, end: Bytes): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Reads by taking in order what a stream gives, for a file that has no shorter way. */
export function readByStream(stream: FileBytes['stream']): FileBytes['read'] {
  return async (begin, end) => {
    const bytes = new Uint8Array(end - begin);
    let at = 0;
    for await (const piece of stream(begin, end)) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  };
}

const PIECE = 8 * 2 ** 20;

export function fileInMemory(name: string, bytes: Uint8Array<ArrayBuffer>): FileBytes {
  return {
    name,
    size: bytes.length,
    read: (begin, end) => Promise.resolve(bytes.slice(begin, end)),
    async *stream(begin, end) {
      for (let at = begin; at < end; at += PIECE)
        yield await Promise.resolve(bytes.slice(at, Math.min(end, at + PIECE)));
    },
  };
}

/** A file that was dropped or chosen; it stays on the disk. */
export function fileOnDisk(file: File): FileBytes {
  const read = async (begin: Bytes, end: Bytes) => new Uint8Array(await file.slice(begin, end).arrayBuffer());
  return {
    name: file.name,
    size: file.size,
    read,
    async *stream(begin, end) {
      for (let at = begin; at < end; at += PIECE) yield await read(at, Math.min(end, at + PIECE));
    },
  };
}
