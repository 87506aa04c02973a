/**
 * Hashing and converting in two threads of their own, so that the trainer's goes on taking bytes in and writing parts. Bytes are
 * moved from one to the next and back, never copied.
 */
import { transfer } from 'comlink';
import type { ByteWork } from '../../src/checkpoint/byteWork';
import { thread, type Thread } from './thread';

export interface ByteWorkers {
  work: ByteWork;
  /** Ends the threads; what they were doing is lost. */
  end(): void;
}

export const startByteWorkers = (): ByteWorkers =>
  threads(() => new Worker(new URL('../bytes.ts', import.meta.url), { type: 'module' }));

function threads(start: () => Worker): ByteWorkers {
  const [hasher, converter] = [begin(start()), begin(start())];
  return {
    work: {
      beginHash: (from) => hasher.call((remote) => remote.beginHash(from)),
      hash: (bytes) => hasher.call((remote) => remote.hash(transfer(bytes, [bytes.buffer]))),
      endHash: () => hasher.call((remote) => remote.endHash()),
      convert: (form, chunk, wish) =>
        converter.call((remote) => remote.convert(form, transfer(chunk, [chunk.bytes.buffer]), wish)),
    },
    end() {
      for (const own of [hasher, converter])
        own.end(new Error('The threads that convert weights were ended.'));
    },
  };
}

function begin(worker: Worker): Thread<ByteWork> {
  const own: Thread<ByteWork> = thread(worker, (reason) =>
    own.end(
      new Error(
        `A thread that converts weights stopped (${reason}). Load the model again; what was kept stays.`,
      ),
    ),
  );
  return own;
}
