/**
 * The dataset worker as the page calls it. A tokenizer is a foreign program that may never end on some row: a worker that says
 * nothing for too long is ended, another opens the same file, and the page is told. Knows nothing of what the calls mean.
 */
import { proxy, transfer, wrap, type Remote } from 'comlink';
import type { DatasetApi, Result } from '../src/protocol/apis';
import type { Failure } from '../src/protocol/events';
import type { Milliseconds } from '../src/units';

/** The largest tokenizers take some seconds to begin on a slow machine, and long texts too. */
const LIMIT: Milliseconds = 30_000;
/** Silence is counted in ticks, so that a machine that slept is not taken for a worker that hangs. */
const TICKS = 10;
/** A worker that dies this soon after its start would only be replaced by another that does. */
const SOON: Milliseconds = 10_000;

interface Life {
  worker: Worker;
  remote: Remote<DatasetApi>;
  /** The file is open again. */
  ready: Promise<unknown>;
  /** Resolves when the worker is given up. */
  ended: Promise<Result<never>>;
  end(failure: Failure): void;
  silentTicks: number;
  line: number | null;
}

export function connectDataset(start: () => Worker, limit: Milliseconds = LIMIT): DatasetApi {
  /** Outside the page's memory, for the worker after this one. */
  let file: { name: string; bytes: Blob } | null = null;
  let life = begin();

  function begin(): Life {
    const worker = start();
    const born = performance.now();
    const remote = wrap<DatasetApi>(worker);
    let end: Life['end'] = () => undefined;
    const ended = new Promise<Result<never>>((done) => (end = (failure) => done({ ok: false, failure })));
    const own: Life = { worker, remote, ready: reopen(remote), ended, end, silentTicks: 0, line: null };
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const reason = event.message || 'its script could not be loaded';
      const failure: Failure = {
        kind: 'internal',
        message: `The thread that reads the data stopped (${reason}). Reload the page if that happens again.`,
      };
      if (performance.now() - born > SOON) lose(own, failure);
      else own.end(failure);
    });
    return own;
  }

  async function reopen(remote: Remote<DatasetApi>): Promise<unknown> {
    return file && remote.open({ name: file.name, bytes: await file.bytes.arrayBuffer() });
  }

  function lose(own: Life, failure: Failure): void {
    if (life !== own) return;
    own.worker.terminate();
    life = begin();
    own.end(failure);
  }

  async function call<T>(work: (remote: Remote<DatasetApi>) => Promise<Result<T>>): Promise<Result<T>> {
    const own = life;
    return Promise.race([own.ready.then(() => work(own.remote)), own.ended]);
  }

  return {
    open: ({ name, bytes }) => {
      file = { name, bytes: new Blob([bytes]) };
      return call((remote) => remote.open(transfer({ name, bytes }, [bytes])));
    },
    prepare: async (request) => {
      const own = life;
      const beat = (line: number | null) => {
        own.silentTicks = 0;
        own.line = line;
      };
      beat(null);
      const watching = setInterval(() => {
        if (++own.silentTicks > TICKS) lose(own, tooLong(own.line, limit));
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
