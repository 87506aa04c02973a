/** A thread whose end is told to whoever waits for it: comlink alone would leave a call to a dead worker waiting for ever. */
import { wrap, type Endpoint, type Remote } from 'comlink';
import type { Milliseconds } from '../../src/units';

/** One that dies this soon after its start would only be replaced by another that does. */
const SOON: Milliseconds = 10_000;

/** What is needed of a Worker. */
export interface Begun extends Endpoint {
  terminate(): void;
}

export interface Thread<Api> {
  /** What `work` comes to; refused with the reason where the thread is ended first. */
  call<R extends Promise<unknown>>(work: (remote: Remote<Api>) => R): Promise<Awaited<R>>;
  /** It has lived long enough to be worth replacing. */
  readonly settled: boolean;
  /** Ends it and refuses the calls that wait. */
  end(reason: Error): void;
}

/** `died` is told when the worker fails by itself, in the browser's words; the calls wait until it is ended. */
export function thread<Api>(worker: Begun, died: (reason: string) => void): Thread<Api> {
  const born = performance.now();
  const remote = wrap<Api>(worker);
  let refuse: (reason: Error) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => (refuse = reject));
  ended.catch(() => undefined); // told by the calls that wait for it
  worker.addEventListener('error', (event: Event) => {
    event.preventDefault();
    const message = 'message' in event && typeof event.message === 'string' ? event.message : '';
    died(message || 'its script could not be loaded');
  });
  return {
    call: (work) => Promise.race([work(remote), ended]),
    get settled() {
      return performance.now() - born > SOON;
    },
    end(reason) {
      worker.terminate();
      refuse(reason);
    },
  };
}
