/** The dataset worker's API through a real channel: results and failures arrive as data, arrays are handed over. */
import { wrap } from 'comlink';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DatasetApi } from '../../src/protocol/datasetApi';
import { defaultSettings } from '../../src/protocol/settings';
import { jsonLines, questions } from '../dataset/bytes';
import { fixtureAssets } from './assets';

const channel = new MessageChannel();
const remote = wrap<DatasetApi>(channel.port1);
const request = { assets: fixtureAssets('llama'), settings: { ...defaultSettings, sequenceLength: 64 } };

beforeAll(async () => {
  // The worker listens to its global scope; here that is one end of the channel.
  vi.stubGlobal('addEventListener', channel.port2.addEventListener.bind(channel.port2));
  vi.stubGlobal('removeEventListener', channel.port2.removeEventListener.bind(channel.port2));
  vi.stubGlobal('postMessage', channel.port2.postMessage.bind(channel.port2));
  await import('../../workers/dataset');
  channel.port2.start();
});
afterAll(() => {
  channel.port1.close();
  channel.port2.close();
  vi.unstubAllGlobals();
});

describe('the dataset worker', () => {
  it('says what is missing when it is asked too early', async () => {
    expect(await remote.prepare(request)).toEqual({
      ok: false,
      failure: { kind: 'bad-input', message: 'No dataset is open. Choose a file first.' },
    });
    const view = await remote.view(0);
    expect(view.ok).toBe(false);
  });

  it('opens, prepares, shows and hands over', async () => {
    const opened = await remote.open({ name: 'a.jsonl', bytes: jsonLines(questions(300)).buffer });
    expect(opened).toMatchObject({ ok: true, value: { rows: 300, kept: 300 } });
    const prepared = await remote.prepare(request);
    expect(prepared).toMatchObject({ ok: true, value: { split: { train: 210, validation: 45, test: 45 } } });
    const view = await remote.view(0);
    expect(view.ok && view.value.some(({ fate }) => fate === 'end-mark')).toBe(true);
    const taken = await remote.take();
    expect(taken.ok && taken.value.train.ids.length).toBe(taken.ok ? taken.value.train.rows * 64 : -1);
    expect(await remote.take()).toEqual(taken);
  });

  it('a bad file is a failure in words, the one before it stays open and packed, and the worker goes on', async () => {
    const taken = await remote.take();
    const failed = await remote.open({ name: 'a.jsonl', bytes: new ArrayBuffer(0) });
    expect(failed).toMatchObject({ ok: false, failure: { kind: 'bad-input' } });
    expect(await remote.take()).toEqual(taken);
    expect(await remote.prepare(request)).toMatchObject({ ok: true, value: { split: { train: 210 } } });
    expect((await remote.open({ name: 'b.jsonl', bytes: jsonLines(questions(3)).buffer })).ok).toBe(true);
  });
});
