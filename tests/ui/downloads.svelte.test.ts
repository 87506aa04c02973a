/** Models on their way in: progress, pause, going on, cancel and failures, over a hub whose answers the test plays. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DownloadsState } from '../../src/state/downloads.svelte';
import { Lookup } from '../../src/state/lookup.svelte';
import { Preferences } from '../../src/state/preferences.svelte';
import { FakeModels, facts, foreign, kept, progress, unfinished } from './fakeModels';
import { ok } from './fakes';

let remote: FakeModels;
let arrived: string[];
let downloads: DownloadsState;
const request = { repository: facts.repository, revision: 'main', weightFormat: 'q4' } as const;
beforeEach(() => {
  remote = new FakeModels();
  arrived = [];
  downloads = new DownloadsState(remote, async (model) => void arrived.push(model.id));
});

describe('a download', () => {
  it('shows its share, and hands the model on when it is here', async () => {
    const over = downloads.download(request);
    remote.tell(progress(0.25));
    expect(downloads.share).toBeCloseTo(0.25, 6);
    remote.settle(ok({ state: 'kept', model: kept }));
    expect(await over).toBe(true);
    expect(arrived).toEqual(['kept-qwen']);
    expect(downloads.arrived?.name).toBe(kept.name);
    expect(downloads.arriving).toEqual([]);
    expect(downloads.share).toBeNull();
  });

  it('is not begun twice', async () => {
    void downloads.download(request);
    expect(await downloads.download(request)).toBe(false);
    expect(remote.calls).toEqual([`download ${facts.repository} q4`]);
  });

  it('paused, it waits to go on; going on asks for the same one', async () => {
    const over = downloads.download(request);
    remote.tell(progress(0.6));
    await downloads.pause(downloads.arriving[0]?.key ?? 0);
    expect(await over).toBe(false);
    expect(downloads.failure).toBeNull();
    const [left] = downloads.waiting;
    if (left === undefined) throw new Error('nothing waits');
    void downloads.resume(left, 'hf_x');
    expect(remote.calls.at(-1)).toBe('resume d1');
    expect(downloads.arriving.map(({ name }) => name)).toEqual([facts.repository]);
  });

  it('an order is given once, and not before the download has an id', async () => {
    void downloads.download(request);
    const key = downloads.arriving[0]?.key ?? 0;
    await downloads.pause(key);
    expect(remote.calls).toHaveLength(1);
    remote.tell(progress(0.1));
    remote.cancelDownload = vi.fn(() => new Promise<never>(() => undefined));
    void downloads.cancel(key);
    void downloads.cancel(key);
    expect(remote.cancelDownload).toHaveBeenCalledTimes(1);
    expect(downloads.arriving[0]?.ending).toBe('cancelling');
  });

  it('a failure is kept with the name, and the list is read again', async () => {
    const over = downloads.download(request);
    remote.left = [unfinished];
    remote.settle({
      ok: false,
      failure: { kind: 'hub', reason: 'cut-off', status: null, message: 'The line was cut at 61 MiB.' },
    });
    expect(await over).toBe(false);
    expect(downloads.failure).toMatchObject({ name: facts.repository, failure: { kind: 'hub' } });
    expect(downloads.waiting.map(({ id }) => id)).toEqual(['d9']);
  });

  it('a worker that died is a failure too', async () => {
    remote.downloadModel = async () => Promise.reject(new Error('the worker is gone'));
    await downloads.download(request);
    expect(downloads.failure?.failure.message).toContain('the worker is gone');
    expect(downloads.arriving).toEqual([]);
  });

  it('an unfinished one at work in another call is not offered', async () => {
    remote.left = [{ ...unfinished, running: true }];
    await downloads.load();
    expect(downloads.waiting).toEqual([]);
  });
});

describe('a look at a repository', () => {
  const look = (token = '') => {
    const preferences = new Preferences(null, 'http://localhost');
    preferences.token = token;
    return new Lookup(remote, preferences);
  };

  it('takes the id out of a pasted address', async () => {
    const lookup = look();
    lookup.repository = ' https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct/tree/main ';
    expect(lookup.complaint).toBeNull();
    await lookup.ask();
    expect(remote.calls).toEqual(['describe Qwen/Qwen2.5-0.5B-Instruct@main']);
    expect(lookup.facts?.architecture).toBe('Qwen2ForCausalLM');
    expect(lookup.format).toBe('q4');
  });

  it('asks nothing for what is no id', async () => {
    const lookup = look();
    for (const wrong of ['', 'qwen', 'a/b/c', 'javascript:alert(1)']) {
      lookup.repository = wrong;
      expect(lookup.complaint).not.toBeNull();
      await lookup.ask();
    }
    expect(remote.calls).toEqual([]);
  });

  it('sends the token when there is one', async () => {
    const lookup = look('hf_secret');
    lookup.repository = foreign.repository;
    await lookup.ask();
    expect(remote.calls[0]).toContain('with a token');
    expect(lookup.facts?.unsupported).toContain('FalconForCausalLM');
  });

  it('an answer that comes after another question is dropped', async () => {
    const lookup = look();
    lookup.repository = foreign.repository;
    const first = lookup.ask();
    lookup.repository = facts.repository;
    await Promise.all([lookup.ask(), first]);
    expect(lookup.facts?.repository).toBe(facts.repository);
  });

  it('says what the hub said', async () => {
    const lookup = look();
    lookup.repository = 'nobody/nothing';
    await lookup.ask();
    expect(lookup.failure).toMatchObject({ kind: 'hub', reason: 'not-found' });
    expect(lookup.asking).toBe(false);
  });
});

describe('preferences', () => {
  const store = (kept: string | null = null) => {
    const written: string[] = [];
    return { written, getItem: () => kept, setItem: (_key: string, text: string) => void written.push(text) };
  };

  it('keep memory and hub, and never the token', () => {
    const kept = store();
    const preferences = new Preferences(kept, 'http://school.local');
    preferences.token = 'hf_secret';
    preferences.setMemory(6);
    expect(preferences.setHub('http://school.local/hub/')).toBeNull();
    expect(kept.written.at(-1)).toBe('{"memory":6,"hub":"http://school.local/hub"}');
    expect(kept.written.join()).not.toContain('hf_secret');
    expect(preferences.budget).toBe(6 * 2 ** 30);
  });

  it('refuse a hub elsewhere, and memory that is none', () => {
    const preferences = new Preferences(store(), 'http://school.local');
    expect(preferences.setHub('https://evil.example')).toContain('nowhere else');
    expect(preferences.setHub('javascript:alert(1)')).not.toBeNull();
    expect(preferences.setHub('https://me:secret@huggingface.co')).toContain('no name, password');
    expect(preferences.hub).toBe('https://huggingface.co');
    for (const wrong of [0, -1, Number.NaN, 5000]) preferences.setMemory(wrong);
    expect(preferences.budget).toBeNull();
  });

  it('another version’s are left alone', () => {
    expect(new Preferences(store('{"memory":"much"}'), 'http://a').memory).toBeNull();
    expect(new Preferences(store('{"memory":null,"hub":"https://evil.example"}'), 'http://a').hub).toBe(
      'https://huggingface.co',
    );
  });
});
