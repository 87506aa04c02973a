/**
 * Hashing and converting in two threads of their own, so that the trainer's goes on taking bytes in and writing parts. Bytes are
 * moved from one to the next and back, never copied.
 */
import { transfer, wrap, type Remote } from 'comlink';
import type { ByteWork } from '../src/checkpoint/byteWork';

export interface ByteWorkers {
  work: ByteWork;
  /** Ends the threads; what they were doing is lost. */
  end(): void;
}

export const startByteWorkers = (): ByteWorkers =>
  threads(() => new Worker(new URL('./bytes.ts', import.meta.url), { type: 'module' }));

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
      hasher.end();
      converter.end();
    },
  };
}

function begin(worker: Worker) {
  const remote = wrap<ByteWork>(worker);
  let fail: (reason: Error) => void = () => undefined;
  const death = new Promise<never>((_, reject) => (fail = reject));
  death.catch(() => undefined); // told by the calls that wait for it
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    fail(
      new Error(
        `A thread that converts weights stopped (${event.message || 'its script could not be loaded'}). Load the model again; what was kept stays.`,
      ),
    );
  });
  return {
    call: <R>(work: (remote: Remote<ByteWork>) => Promise<R>): Promise<R> =>
      Promise.race([work(remote), death]),
    end: () => worker.terminate(),
  };
}
