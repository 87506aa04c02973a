/**
 * The costly work on the bytes of a weight file: a running sha256, and rows that become planes. Here it is done where it is
 * asked for; the page has it done by threads of their own (workers/threads/byteWorkers.ts), so that bytes go on coming in meanwhile.
 */
import { createSHA256, type IHasher } from 'hash-wasm';
import type { WeightFormat } from '../protocol/weightFormats';
import { planesOf, type ConvertedRows } from './planesOf';
import type { RowBytes, RowForm } from './rows';

/** Bytes are handed over and handed back, so that no thread needs a copy: until then they must not be touched. */
type HandedBack = { bytes: Uint8Array<ArrayBuffer> };

export interface ByteWork {
  /** Begins a hash, or goes on from a state that one had. There is one at a time. */
  beginHash(from: Uint8Array | null): Promise<HashState>;
  /** The next bytes of the file; `state` is that of the hash after them. */
  hash(bytes: Uint8Array<ArrayBuffer>): Promise<{ state: HashState } & HandedBack>;
  /** Hex sha256 of all bytes. */
  endHash(): Promise<string>;
  /** As planesOf; `chunk.bytes` are handed back. */
  convert(
    form: RowForm,
    chunk: RowBytes & HandedBack,
    wish: WeightFormat,
  ): Promise<ConvertedRows & HandedBack>;
}

/** From it a hash goes on in another tab. */
export type HashState = Uint8Array<ArrayBuffer>;

export function byteWork(): ByteWork {
  let running: IHasher | null = null;
  const hasher = () => {
    if (!running) throw new Error('No hash was begun.');
    return running;
  };
  const state = () => hasher().save().slice();
  return {
    async beginHash(from) {
      running = await createSHA256();
      if (from) running.load(from);
      else running.init();
      return state();
    },
    hash: (bytes) => Promise.resolve().then(() => (hasher().update(bytes), { bytes, state: state() })),
    endHash: () => Promise.resolve().then(() => hasher().digest('hex')),
    convert: (form, chunk, wish) =>
      Promise.resolve().then(() => ({ ...planesOf(form, chunk, wish), bytes: chunk.bytes })),
  };
}
