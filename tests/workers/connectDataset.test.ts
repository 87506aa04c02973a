/** A dataset worker that dies: calls that wait are told, and one whose script cannot be had is not begun for ever. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { connectDataset } from '../../workers/connectDataset';

/** Takes messages and answers none. */
class MuteWorker extends EventTarget {
  ended = false;
  postMessage(): void {}
  terminate(): void {
    this.ended = true;
  }
  die(message: string): void {
    this.dispatchEvent(Object.assign(new Event('error'), { message }));
  }
}

const begun: MuteWorker[] = [];
const start = () => {
  const worker = new MuteWorker();
  begun.push(worker);
  return worker as unknown as Worker;
};
beforeEach(() => {
  begun.length = 0;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());

it('at its start is not begun again, and every call says so', async () => {
  const dataset = connectDataset(start);
  const waiting = dataset.view(0);
  begun[0]?.die('no such script');
  const failure = {
    kind: 'internal',
    message: expect.stringMatching(/stopped \(no such script\)/) as string,
  };
  expect(await waiting).toEqual({ ok: false, failure });
  expect(await dataset.take()).toEqual({ ok: false, failure });
  expect(begun.length).toBe(1);
});

it('later has another in its place', async () => {
  const dataset = connectDataset(start);
  vi.advanceTimersByTime(11_000);
  const waiting = dataset.view(0);
  begun[0]?.die('out of memory');
  expect(await waiting).toMatchObject({ ok: false, failure: { kind: 'internal' } });
  expect(begun.map(({ ended }) => ended)).toEqual([true, false]);
});
