/**
 * The dataset worker as the page calls it. A tokenizer is a foreign program that may never end on some row: a worker that says
 * nothing for too long is ended, another opens the same file, and the page is told. Knows nothing of what the calls mean.
 */
import { proxy, transfer, type Remote } from 'comlink';
import type { DatasetApi, Result } from '../src/protocol/apis';
import type { Failure } from '../src/protocol/events';
import type { Milliseconds } from '../src/units';
import { thread, type Thread } from './thread';

/** The largest tokenizers take some seconds to begin on a slow machine, and long texts too. */
const LIMIT: Milliseconds = 30_000;
/** Silence is counted in ticks, so that a machine that slept is not taken for a worker that hangs. */
const TICKS = 10;
/** Why a thread was given up, as the calls that waited are told it. */
class GivenUp extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

interface Life {
  thread: Thread<DatasetApi>;
  /** The file is open again. */
  ready: Promise<unknown>;
  silentTicks: number;
  line: number | null;
}

export function connectDataset(start: () => Worker, limit: Milliseconds = LIMIT): DatasetApi {
  /** The last one that could be read. Outside the page's memory, for the worker after this one. */
  let file: { name: string; bytes: Blob } | null = null;
  let life = begin();

  function begin(): Life {
    const own: Thread<DatasetApi> = thread(start(), (reason) => {
      const failure: Failure = {
        kind: 'internal',
        message: `The thread that reads the data stopped (${reason}). Reload the page if that happens again.`,
      };
      if (own.settled) lose(own, failure);
      else own.end(new GivenUp(failure));
    });
    const ready = reopen(own);
    ready.catch(() => undefined); // told by the calls that wait for it
    return { thread: own, ready, silentTicks: 0, line: null };
  }

  async function reopen(own: Thread<DatasetApi>): Promise<unknown> {
    if (!file) return;
    const { name, bytes } = file;
    const again = { name, bytes: await bytes.arrayBuffer() };
    return own.call((remote) => remote.open(again));
  }

  function lose(own: Thread<DatasetApi>, failure: Failure): void {
    if (life.thread !== own) return;
    life = begin();
    own.end(new GivenUp(failure));
  }

  async function call<T>(work: (remote: Remote<DatasetApi>) => Promise<Result<T>>): Promise<Result<T>> {
    const own = life;
    try {
      await own.ready;
      return await own.thread.call(work);
    } catch (error) {
      if (error instanceof GivenUp) return { ok: false, failure: error.failure };
      throw error;
    }
  }

  return {
    open: async ({ name, bytes }) => {
      const given = { name, bytes: new Blob([bytes]) };
      const opened = await call((remote) => remote.open(transfer({ name, bytes }, [bytes])));
      if (opened.ok) file = given;
      return opened;
    },
    prepare: async (request) => {
      const own = life;
      const beat = (line: number | null) => {
        own.silentTicks = 0;
        own.line = line;
      };
      beat(null);
      const watching = setInterval(() => {
        if (++own.silentTicks > TICKS) lose(own.thread, tooLong(own.line, limit));
      }, limit / TICKS);
      try {
        return await call((remote) => remote.prepare(request, proxy(beat)));
      } finally {
        clearInterval(watching);
      }
    },
    view: (index) => call((remote) => remote.view(index)),
    take: () => call((remote) => remote.take()),
  };
}

function tooLong(line: number | null, limit: Milliseconds): Failure {
  const where = line === null ? 'the data' : `a row at line ${line} or soon after it`;
  return {
    kind: 'bad-input',
    message:
      `The tokenizer’s pattern takes too long: it did not end on ${where} within ${limit / 1000} s and was stopped. ` +
      'The file is still open and nothing is lost. Choose another model, or take that row out.',
  };
}
