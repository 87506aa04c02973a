/** A byte worker: hashes bytes, or makes planes of them, for the trainer worker that began it. Does nothing by itself. */
import { expose, transfer } from 'comlink';
import { byteWork, type ByteWork } from '../src/checkpoint/byteWork';

const own = byteWork();

const api: ByteWork = {
  beginHash: (from) => own.beginHash(from),
  endHash: () => own.endHash(),
  hash: async (bytes) => {
    const done = await own.hash(bytes);
    return transfer(done, [done.bytes.buffer]);
  },
  convert: async (form, chunk, wish) => {
    const done = await own.convert(form, chunk, wish);
    return transfer(done, [done.bytes.buffer, ...done.planes.map((plane) => plane.buffer)]);
  },
};

expose(api);
