/** A connection over workers that answer, hang or die at the test's word. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { connectTrainer } from '../../../workers/threads/connect';

/** Answers every call with `answer`, in the form comlink reads, until it is told to hang. */
class ScriptedWorker extends EventTarget implements Worker {
  onmessage = null;
  onmessageerror = null;
  onerror = null;
  ended = false;
  hangs = false;

  constructor(readonly answer: unknown) {
    super();
  }
  postMessage(message: { id: string }): void {
    if (this.hangs || this.ended) return;
    const data = { id: message.id, type: 'RAW', value: this.answer };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent('message', { data })));
  }
  terminate(): void {
    this.ended = true;
  }
  die(message: string): void {
    this.dispatchEvent(Object.assign(new Event('error', { cancelable: true }), { message }));
  }
}

let workers: ScriptedWorker[];
let told: string[];
const connect = () =>
  connectTrainer(
    () => {
      const worker = new ScriptedWorker(`worker ${workers.length + 1}`);
      workers.push(worker);
      return worker;
    },
    {
      replaced: (reason) => told.push(`replaced: ${reason}`),
      broken: (reason) => told.push(`broken: ${reason}`),
      silent: (time) => told.push(time === null ? 'answers again' : `silent for ${time}`),
    },
  );
const worker = (number: number): ScriptedWorker => {
  const found = workers[number - 1];
  if (!found) throw new Error(`There is no worker ${number}.`);
  return found;
};

beforeEach(() => {
  workers = [];
  told = [];
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => vi.useRealTimers());

it('a call that waits for a worker that dies is refused, and the next goes to another worker', async () => {
  const { trainer } = connect();
  expect(await trainer.models()).toBe('worker 1');
  vi.advanceTimersByTime(11_000);
  worker(1).hangs = true;
  const waiting = trainer.models();
  worker(1).die('out of memory');
  await expect(waiting).rejects.toThrow('the trainer stopped (out of memory). The last checkpoint is kept');
  expect(worker(1).ended).toBe(true);
  expect(told).toEqual(['replaced: out of memory']);
  expect(await trainer.models()).toBe('worker 2');
  worker(1).die('again'); // a late word of the dead
  expect(workers).toHaveLength(2);
});

it('a worker that dies as soon as it starts is not replaced for ever', async () => {
  const { trainer } = connect();
  worker(1).die('');
  expect(told).toEqual(['broken: its script could not be loaded']);
  expect(workers).toHaveLength(1);
  await expect(trainer.models()).rejects.toThrow('its script could not be loaded');
});

it('silence is told from 15 s on, and its end; a restart brings another worker', async () => {
  const { trainer, restart } = connect();
  worker(1).hangs = true;
  vi.advanceTimersByTime(15_000);
  expect(told).toEqual([]); // asked at 5 s
  vi.advanceTimersByTime(5000);
  expect(told).toEqual(['silent for 15000']);
  const waiting = trainer.stop();
  restart('it did not answer and was ended');
  await expect(waiting).rejects.toThrow('it did not answer');
  expect(await trainer.runs()).toBe('worker 2');
  expect(told).toContain('replaced: it did not answer and was ended');
});
