/**
 * The dataset worker as the page calls it. A tokenizer is a foreign program that may never end on some row: a worker that says
 * nothing for too long is ended, another opens the same file, and the page is told. So is one whose work is not wanted any more: it
 * could not be told so in the middle of a row.
 */
import { proxy, transfer, type Remote } from 'comlink';
import type {
  DatasetApi,
  DatasetFile,
  PrepareProgress,
  StoppableDataset,
} from '../../src/protocol/datasetApi';
import type { Result } from '../../src/protocol/result';
import type { Failure } from '../../src/protocol/events';
import type { Milliseconds } from '../../src/units';
import { thread, type Begun, type Thread } from './thread';

/** The largest tokenizers take some seconds to begin on a slow machine, and long texts too. */
const LIMIT: Milliseconds = 30_000;
/** Silence is counted in ticks, so that a machine that slept is not taken for a worker that hangs. */
const TICKS = 10;
/** Told to calls whose answer nobody waits for. */
const UNWANTED: Failure = {
  kind: 'internal',
  message: 'The work was stopped. The file that was open stays open.',
};
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
  /** What is under way in it, besides short answers. */
  doing: Set<'reopen' | 'open' | 'prepare'>;
  /** It has a file, or there is none to have. */
  holdsFile: boolean;
  silentTicks: number;
  line: number | null;
}

export function connectDataset(start: () => Begun, limit: Milliseconds = LIMIT): StoppableDataset {
  /** The last one that could be read. Outside the page's memory, for the worker after this one. */
  let file: DatasetFile<Blob> | null = null;
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
    const ready = Promise.resolve();
    return { thread: own, ready, doing: new Set(), holdsFile: file === null, silentTicks: 0, line: null };
  }

  /** The file that was open last is opened in a worker that lacks it; calls wait for that. */
  function reopen(own: Life): void {
    if (file === null || own.holdsFile) return;
    const { bytes, ...rest } = file;
    own.holdsFile = true;
    own.ready = during(own, 'reopen', async () => {
      const again = { ...rest, bytes: await bytes.arrayBuffer() };
      return own.thread.call((remote) => remote.open(again));
    });
    own.ready.catch(() => undefined); // told by the calls that wait for it
  }

  /** Ends a worker in the middle of its work; the next one has no file yet. */
  function replace(own: Life, failure: Failure): void {
    life = begin();
    own.thread.end(new GivenUp(failure));
  }

  function lose(own: Thread<DatasetApi>, failure: Failure): void {
    if (life.thread !== own) return;
    replace(life, failure);
    reopen(life);
  }

  async function during<T>(
    own: Life,
    what: 'reopen' | 'open' | 'prepare',
    work: () => Promise<T>,
  ): Promise<T> {
    own.doing.add(what);
    try {
      return await work();
    } finally {
      own.doing.delete(what);
    }
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
    open: async ({ bytes, ...rest }) => {
      if (life.doing.size > 0) replace(life, UNWANTED);
      const own = life;
      const given = { ...rest, bytes: new Blob([bytes]) };
      const opened = await during(own, 'open', () =>
        call((remote) => remote.open(transfer({ ...rest, bytes }, [bytes]))),
      );
      if (own !== life) return opened;
      if (opened.ok) {
        file = given;
        own.holdsFile = true;
      } else reopen(own);
      return opened;
    },
    prepare: async (request, onProgress) => {
      if (life.doing.has('prepare')) {
        replace(life, UNWANTED);
        reopen(life);
      }
      const own = life;
      own.silentTicks = 0;
      own.line = null;
      const hear = (progress: PrepareProgress) => {
        own.silentTicks = 0;
        own.line = progress.line;
        if (own === life) onProgress?.(progress);
      };
      const watching = setInterval(() => {
        if (++own.silentTicks > TICKS) lose(own.thread, tooLong(own.line, limit));
      }, limit / TICKS);
      try {
        return await during(own, 'prepare', () => call((remote) => remote.prepare(request, proxy(hear))));
      } finally {
        clearInterval(watching);
      }
    },
    stop() {
      if (!life.doing.has('open') && !life.doing.has('prepare')) return;
      replace(life, UNWANTED);
      reopen(life);
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
