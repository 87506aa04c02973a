/** A dataset worker that dies or is ended: calls that wait are told, and the file that was open is open in the next one. */
import { expose } from 'comlink';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DatasetApi } from '../../../src/protocol/datasetApi';
import { defaultSettings } from '../../../src/protocol/settings';
import { ok } from '../../ui/fakes';
import { report, tokens } from '../../ui/samples/data';
import { connectDataset } from '../../../workers/threads/connectDataset';
import type { Begun } from '../../../workers/threads/thread';
import { fixture } from '../../exchange/fixtures';

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
  return worker;
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

describe('work that is not wanted any more', () => {
  /** What each worker was asked for, in order. */
  let lives: { did: string[]; ended: boolean }[] = [];
  const answering = (): Begun => {
    const life = { did: [] as string[], ended: false };
    lives.push(life);
    const { port1, port2 } = new MessageChannel();
    const api: DatasetApi = {
      open: async ({ name, columns }) => {
        life.did.push(columns ? `open ${name} by ${columns.question}` : `open ${name}`);
        if (name.startsWith('slow')) return new Promise(() => undefined);
        if (name.startsWith('broken'))
          return { ok: false, failure: { kind: 'bad-input', message: 'It has no rows.' } };
        return ok({ ...report, name });
      },
      prepare: async (_request, onProgress) => {
        life.did.push('prepare');
        onProgress?.({ stage: 'tokens', done: 1, rows: 600_000, line: 1 });
        return new Promise(() => undefined);
      },
      view: async () => ok(tokens),
      take: async () => new Promise(() => undefined),
    };
    expose(api, port2);
    port1.start();
    return Object.assign(port1, {
      terminate() {
        life.ended = true;
        port1.close();
      },
    });
  };
  const endless = { assets: fixture('qwen2').assets, settings: defaultSettings };
  const file = (name: string) => ({ name, bytes: new ArrayBuffer(8) });
  const did = () => lives.map((life) => life.did);
  beforeEach(() => {
    lives = [];
    vi.useRealTimers();
  });
  const connected = async (...names: string[]) => {
    const dataset = connectDataset(answering);
    for (const name of names) await dataset.open(file(name));
    return dataset;
  };

  it('another file ends a packing at once, and the old file is not read again', async () => {
    const dataset = await connected('huge.jsonl');
    const waiting = dataset.prepare(endless);
    await vi.waitFor(() => expect(did()).toEqual([['open huge.jsonl', 'prepare']]));
    expect(await dataset.open(file('next.csv'))).toMatchObject({ ok: true, value: { name: 'next.csv' } });
    expect(await waiting).toMatchObject({ ok: false });
    expect(lives.map(({ ended }) => ended)).toEqual([true, false]);
    expect(did()[1]).toEqual(['open next.csv']);
  });

  it('another file ends the reading of one', async () => {
    const dataset = await connected();
    const waiting = dataset.open(file('slow.jsonl'));
    expect(await dataset.open(file('next.csv'))).toMatchObject({ ok: true });
    expect(await waiting).toMatchObject({ ok: false });
  });

  it('a broken file in its place: the old one is open again in the new worker', async () => {
    const dataset = await connected('huge.jsonl');
    void dataset.prepare(endless);
    expect(await dataset.open(file('broken.csv'))).toMatchObject({ ok: false });
    expect(await dataset.view(0)).toEqual(ok(tokens));
    expect(did()[1]).toEqual(['open broken.csv', 'open huge.jsonl']);
  });

  it('another packing ends the one before it, on the same file, by the columns that were chosen', async () => {
    const dataset = await connected();
    await dataset.open({ ...file('huge.csv'), columns: { question: 'Clue', answer: 'Town' } });
    const waiting = dataset.prepare(endless);
    void dataset.prepare(endless);
    expect(await waiting).toMatchObject({ ok: false });
    await vi.waitFor(() => expect(did()[1]).toEqual(['open huge.csv by Clue', 'prepare']));
  });

  it('stop leaves the file open, and does nothing where nothing is under way', async () => {
    const dataset = await connected('huge.jsonl');
    dataset.stop();
    expect(lives.length).toBe(1);
    const waiting = dataset.prepare(endless);
    dataset.stop();
    expect(await waiting).toMatchObject({ ok: false });
    expect(await dataset.view(0)).toEqual(ok(tokens));
    expect(did()[1]).toEqual(['open huge.jsonl']);
  });
});
