/** A settings link between two machines: what it carries, what it would change, and that nothing changes before one agrees. */
import { describe, expect, it, vi } from 'vitest';
import { defaultSettings, type Settings } from '../../src/protocol/settings';
import { writeLink, type SettingsLink } from '../../src/link/settingsLink';
import { Session } from '../../src/state/session.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { get, lessons } from './samples/data';
import { models } from './samples/run';
import { facts, kept } from './fakeModels';
import { around } from './mountable';

const ORIGIN = 'http://localhost:5173';
const [llama, qwen] = models;
const hubModel = { from: 'hub', repository: facts.repository, commit: facts.commit } as const;
const settings = (changes: Partial<Settings> = {}): Settings => ({ ...defaultSettings, ...changes });

async function machine(list = models, changes: Parameters<typeof around>[0] = {}): Promise<Session> {
  const trainer = new FakeTrainer();
  trainer.models = async () => ok([...list]);
  const session = new Session(around({ trainer, ...changes }));
  await session.load();
  return session;
}
const opened = async (session: Session, link: SettingsLink): Promise<void> =>
  session.link.open(await writeLink(link, ORIGIN));

describe('what a link carries', () => {
  it('the form, an embedded model by its id and the lesson', async () => {
    const session = await machine();
    session.models.select('tiny-qwen');
    const [lesson] = session.lessons.list;
    if (lesson === undefined) throw new Error('no lesson');
    await session.openLesson(lesson);
    session.form.put('rank', 8);
    expect(session.link.current).toEqual({
      settings: settings({ ...lessons[0]?.settings, rank: 8 }),
      model: { from: 'page', id: 'tiny-qwen' },
      lesson: 'records',
    });
  });

  it('a model of the hub by its commit, with the mirror it can be had from, and never the token', async () => {
    const session = await machine([kept]);
    expect(session.link.current?.model).toEqual(hubModel);
    session.preferences.token = 'hf_secret';
    session.preferences.setHub(`${ORIGIN}/hub`);
    expect(session.link.current?.model).toEqual({ ...hubModel, hub: `${ORIGIN}/hub` });
    expect(JSON.stringify(session.link.current)).not.toContain('secret');
  });

  it('no model where it came from files, no data, and nothing while a field is wrong', async () => {
    const session = await machine([{ ...kept, origin: null }]);
    await session.openFile(new File(['{"prompt":"private","completion":"b"}'], 'private.jsonl'));
    expect(Object.keys(session.link.current ?? {})).toEqual(['settings']);
    session.form.put('rank', null);
    expect(session.link.current).toBeNull();
  });

  it('not a password in the address of the hub', async () => {
    const session = await machine([kept]);
    session.preferences.hub = 'https://me:secret@huggingface.co'; // the field itself refuses it
    const { current } = session.link;
    if (current === null) throw new Error('no link');
    await expect(session.link.write(current)).rejects.toThrow(/“hub” cannot be/);
  });
});

describe('a link that is opened', () => {
  const link: SettingsLink = {
    settings: settings({ rank: 4, learningRate: 0.003 }),
    model: { from: 'page', id: qwen?.id ?? '' },
    lesson: 'shop-messages',
  };

  it('changes, fetches and starts nothing, and says what differs', async () => {
    const dataset = fakeDataset({ open: vi.fn(fakeDataset().open) });
    const asked = vi.fn(get);
    const session = await machine(models, { dataset, get: asked });
    const before = JSON.stringify(session.form.draft);
    const requests = asked.mock.calls.length;
    await opened(session, link);
    expect(session.link.phase).toBe('review');
    expect(session.link.differing.toSorted()).toEqual(['learningRate', 'rank']);
    expect([session.link.otherModel, session.link.here?.id]).toEqual([true, 'tiny-qwen']);
    expect([session.link.otherLesson, session.link.lesson?.id]).toEqual([true, 'shop-messages']);
    expect(JSON.stringify(session.form.draft)).toBe(before);
    expect(session.models.selected?.id).toBe(llama?.id);
    expect(session.lessons.chosen).toBeNull();
    expect(dataset.open).not.toHaveBeenCalled();
    expect(asked.mock.calls.length).toBe(requests);
  });

  it('is taken over whole: lesson, model, and its settings instead of the lesson’s own', async () => {
    const session = await machine();
    session.form.put('epochs', 9);
    await opened(session, link);
    await session.link.apply();
    expect(session.link.phase).toBe('applied');
    expect(session.lessons.chosen?.id).toBe('shop-messages');
    expect(session.models.selected?.id).toBe('tiny-qwen');
    expect(session.form.settings).toEqual(link.settings);
    expect([session.link.differing, session.link.applicable]).toEqual([[], false]);
    expect(session.run.phase).toBe('idle');
  });

  it('stays in force when a file of one’s own is opened after it', async () => {
    const session = await machine();
    await opened(session, link);
    await session.link.apply();
    await session.openFile(new File(['x'], 'x.jsonl'));
    expect(session.form.settings).toEqual(link.settings);
  });

  it('is forgotten when one keeps one’s own', async () => {
    const session = await machine();
    const before = JSON.stringify(session.form.draft);
    await opened(session, link);
    session.link.close();
    await session.link.apply();
    expect([session.link.phase, JSON.stringify(session.form.draft)]).toEqual(['none', before]);
  });

  it('applies nothing when the lesson does not arrive, and can be applied again', async () => {
    let cut = true;
    const session = await machine(models, {
      get: async (path) => (cut && path.endsWith('jsonl') ? new Response('', { status: 503 }) : get(path)),
    });
    const before = JSON.stringify(session.form.draft);
    await opened(session, link);
    await session.link.apply();
    expect(session.link.failure?.message).toContain('503');
    expect([session.link.phase, JSON.stringify(session.form.draft)]).toEqual(['review', before]);
    expect(session.models.selected?.id).toBe(llama?.id);
    cut = false;
    await session.link.apply();
    expect([session.link.phase, session.link.failure]).toEqual(['applied', null]);
  });

  it('that is no link leaves a reason, and the good one before it is put aside', async () => {
    const session = await machine();
    await opened(session, link);
    await session.link.open('!');
    expect([session.link.phase, session.link.opened]).toEqual(['none', null]);
    expect(session.link.fault?.what).toContain('“!”');
  });
});

describe('a model of the hub in a link', () => {
  const link: SettingsLink = { settings: settings({ weightFormat: 'q4' }), model: hubModel };

  it('is here only with the same commit in the same form', async () => {
    const session = await machine([...models, kept]);
    await opened(session, link);
    expect(session.link.here?.id).toBe(kept.id);
    await opened(session, { ...link, settings: settings({ weightFormat: 'q8' }) });
    expect([session.link.here, session.link.near?.id]).toEqual([null, kept.id]);
    await opened(session, { ...link, model: { ...hubModel, commit: '0'.repeat(40) } });
    expect([session.link.here, session.link.near?.id]).toEqual([null, kept.id]);
  });

  it('that is not here leaves one’s own chosen until it has arrived', async () => {
    const list = [...models];
    const session = await machine(list);
    await opened(session, link);
    expect([session.link.otherModel, session.link.here, session.link.near]).toEqual([true, null, null]);
    expect(session.link.differing).toEqual(['weightFormat']);
    await session.link.apply();
    expect(session.models.selected?.id).toBe(llama?.id);
    expect(session.form.settings?.weightFormat).toBe('q4');
    list.push(kept);
    await session.models.arrived(kept);
    expect([session.models.selected?.id, session.link.here?.id]).toEqual([kept.id, kept.id]);
    expect(session.link.otherModel).toBe(false);
  });

  it('is looked up with its commit and form filled in, and asked about only at a press', async () => {
    const session = await machine();
    session.lookup.prefill(hubModel.repository, hubModel.commit, 'nf4');
    expect(session.lookup.facts).toBeNull();
    expect(session.lookup.source).toMatchObject({ repository: facts.repository, revision: facts.commit });
    await session.lookup.ask();
    expect(session.lookup.format).toBe('nf4');
    session.lookup.clear();
    await session.lookup.ask();
    expect(session.lookup.format).toBe(facts.suggestedFormat);
  });

  it('cannot change the form in which one’s own model is kept, and says so', async () => {
    const session = await machine([{ ...kept, weightFormat: 'q8' }]);
    session.form.suit({ ...kept, weightFormat: 'q8' });
    await opened(session, link);
    expect([session.link.keptAs, session.link.differing]).toEqual(['q8', []]);
    await session.link.apply();
    expect(session.form.settings?.weightFormat).toBe('q8');
  });

  it('brings the mirror it can be had from, shown and applied like a setting', async () => {
    const session = await machine();
    const hub = `${ORIGIN}/hub`;
    await opened(session, { ...link, model: { ...hubModel, hub } });
    expect([session.link.otherHub, session.preferences.hub]).toEqual([hub, 'https://huggingface.co']);
    await session.link.apply();
    expect(session.preferences.hub).toBe(hub);
  });
});
