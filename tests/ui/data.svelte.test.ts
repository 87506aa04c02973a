/** The open file: a broken one beside it changes nothing, and what is shown is always of one file. */
import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DatasetApi, Result } from '../../src/protocol/apis';
import { Session } from '../../src/state/session.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { around } from './mountable';
import { report } from './samples/data';

const failure = { kind: 'bad-input', message: 'It has no rows.' } as const;
let asked: string[] = [];
let dataset: DatasetApi;
let session: Session;
const end: (() => void)[] = [];
const file = (name: string) => new File(['x'], name);
const settled = () => vi.waitFor(() => expect(session.planning.plan).not.toBeNull());

beforeEach(async () => {
  asked = [];
  dataset = fakeDataset({
    open: async ({ name }) => {
      asked.push(`open ${name}`);
      return name.startsWith('broken') ? { ok: false, failure } : ok({ ...report, name });
    },
  });
  const { prepare } = dataset;
  dataset.prepare = async (...order): ReturnType<DatasetApi['prepare']> => {
    asked.push('prepare');
    return prepare(...order);
  };
  session = new Session(around({ trainer: new FakeTrainer(), dataset }));
  await session.load();
  end.push($effect.root(() => session.follow()));
});
afterEach(() => end.splice(0).forEach((stop) => stop()));

describe('a broken file', () => {
  it('beside a good one is told, and the good one stays packed and planned', async () => {
    await session.openFile(file('good.csv'));
    await settled();
    const { report: before, prepared } = session.data;
    expect(await session.openFile(file('broken.csv'))).toBe(false);
    flushSync();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([session.data.failure, session.data.unopened]).toEqual([failure, 'broken.csv']);
    expect(session.data.report).toBe(before);
    expect(session.data.prepared).toBe(prepared);
    expect(session.data.phase).toBe('ready');
    expect(asked).toEqual(['open good.csv', 'prepare', 'open broken.csv']);
  });

  it('leaves the lesson that is open chosen, with its settings', async () => {
    const [lesson] = session.lessons.list;
    if (lesson === undefined) throw new Error('no lesson');
    await session.openLesson(lesson);
    await session.openFile(file('broken.csv'));
    expect(session.lessons.chosen?.id).toBe(lesson.id);
    expect(session.form.baseName).toBe(lesson.title);
    await session.openFile(file('good.csv'));
    expect([session.lessons.chosen, session.form.baseName, session.data.unopened]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('alone leaves nothing open', async () => {
    await session.openFile(file('broken.csv'));
    expect([session.data.phase, session.data.report]).toEqual(['empty', null]);
  });
});

it('while a file is read the one before it is neither packed nor trained on', async () => {
  await session.openFile(file('good.csv'));
  await settled();
  let answer: (result: Result<typeof report>) => void = () => undefined;
  dataset.open = () => new Promise((resolve) => (answer = resolve));
  const opening = session.openFile(file('next.csv'));
  asked = [];
  session.form.put('sequenceLength', 64);
  flushSync();
  await session.train();
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect([asked, session.run.phase, session.data.report?.name]).toEqual([[], 'idle', 'good.csv']);
  answer(ok({ ...report, name: 'next.csv' }));
  expect(await opening).toBe(true);
  expect(session.data.prepared).toBeNull();
  flushSync();
  await vi.waitFor(() => expect(asked).toEqual(['prepare']));
});
