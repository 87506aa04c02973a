/** The open file: a broken one beside it changes nothing, and what is shown is always of one file. */
import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DatasetApi, PrepareProgress, StoppableDataset } from '../../src/protocol/datasetApi';
import type { Result } from '../../src/protocol/result';
import { Packing } from '../../src/state/packing.svelte';
import { Session } from '../../src/state/session.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { around } from './mountable';
import { prepared, report } from './samples/data';

const failure = { kind: 'bad-input', message: 'It has no rows.' } as const;
let asked: string[] = [];
let dataset: StoppableDataset;
let session: Session;
let trainer: FakeTrainer;
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
  trainer = new FakeTrainer();
  session = new Session(around({ trainer, dataset }));
  await session.load();
  end.push($effect.root(() => session.follow()));
});
afterEach(() => end.splice(0).forEach((stop) => stop()));

it('columns that a person chose are those of the file when it is opened, and at the next visit', async () => {
  const columns = { question: 'Clue', answer: 'Town' };
  const opened: unknown[] = [];
  dataset.open = async ({ name, columns: chosen }) => {
    opened.push([name, chosen]);
    return ok({ ...report, name });
  };
  await session.openFile(file('towns.csv'), columns);
  expect(trainer.dataset).toMatchObject({ name: 'towns.csv', columns });
  const later = new Session(around({ trainer, dataset }));
  await later.load();
  expect(opened).toEqual([
    ['towns.csv', columns],
    ['towns.csv', columns],
  ]);
});

describe('a broken file', () => {
  it('beside a good one is told, and the good one stays packed and planned', async () => {
    await session.openFile(file('good.csv'));
    await settled();
    const { report: before, prepared } = session.data;
    expect(await session.openFile(file('broken.csv'))).toBe(false);
    flushSync();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect([session.data.failure, session.data.unopened?.name]).toEqual([failure, 'broken.csv']);
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

it('during a run no other file is opened', async () => {
  await session.openFile(file('good.csv'));
  const training = session.train();
  await vi.waitFor(() => expect(session.run.active).toBe(true));
  expect(await session.openFile(file('other.csv'))).toBe(false);
  expect(session.data.turnedAway).toBe('other.csv');
  expect(session.data.report?.name).toBe('good.csv');
  expect(asked.filter((call) => call.startsWith('open'))).toEqual(['open good.csv']);
  session.run.apply({ type: 'failed', failure });
  trainer.end();
  await training;
  expect(await session.openFile(file('other.csv'))).toBe(true);
  expect(session.data.turnedAway).toBeNull();
});

describe('a packing under way', () => {
  const stop = vi.fn();
  let say: (done: number) => void = () => undefined;
  let answer: () => void = () => undefined;
  beforeEach(async () => {
    stop.mockClear();
    dataset.stop = stop;
    dataset.prepare = (_request, onProgress) => {
      asked.push('prepare');
      say = (done) => onProgress?.({ stage: 'tokens', done, rows: 600_000, line: done + 1 });
      return new Promise((resolve) => (answer = () => resolve(ok(prepared))));
    };
    await session.openFile(file('huge.jsonl'));
    asked = [];
  });
  const begun = (times: number) => vi.waitFor(() => expect(asked).toEqual(Array(times).fill('prepare')));

  it('says how far it is, and is over at once when it is cancelled', async () => {
    const settling = session.settle();
    await begun(1);
    say(150_000);
    expect(session.data.packing.progress).toMatchObject({ done: 150_000, rows: 600_000 });
    session.data.cancel();
    expect(stop).toHaveBeenCalledTimes(1);
    expect([session.data.phase, session.data.cancelled]).toEqual(['opened', true]);
    expect(session.data.report?.name).toBe('huge.jsonl');
    say(300_000);
    answer();
    await settling;
    expect(session.data.packing.progress?.done).toBe(150_000); // nothing is heard of it any more
    expect(session.data.prepared).toBeNull();
    const again = session.settle();
    await begun(2);
    answer();
    await again;
    expect([session.data.phase, session.data.cancelled]).toEqual(['ready', false]);
  });

  it('is the one that a start waits for, and not done twice', async () => {
    const settling = session.settle();
    await begun(1);
    const training = session.train();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toEqual(['prepare']);
    session.data.cancel();
    answer();
    await Promise.all([settling, training]);
    expect([session.run.phase, session.starting]).toEqual(['idle', null]);
  });

  it('leaves the file open where a cancelled reading had come in its place', async () => {
    void session.settle();
    await begun(1);
    dataset.open = () => new Promise(() => undefined);
    void session.openFile(file('next.csv'));
    expect(session.data.reading).toBe(true);
    session.data.cancel();
    expect([session.data.phase, session.data.report?.name]).toEqual(['opened', 'huge.jsonl']);
    flushSync();
    await begun(2); // by itself: it was not the packing that was cancelled
  });
});

it('a stage of the packing says how long it will take once it has gone on for a while', () => {
  let now = 0;
  const packing = new Packing(() => now);
  const hear = (stage: PrepareProgress['stage'], done: number) =>
    packing.hear({ stage, done, rows: 1000, line: null });
  hear('tokens', 0);
  expect(packing.progress).toBeNull(); // what is over in a moment shows no bar
  now = 1000;
  hear('tokens', 100);
  expect(packing.remaining).toBeNull();
  now = 2000;
  hear('tokens', 200);
  expect(packing.remaining).toBe(8000); // 800 more at 10 ms each
  hear('split', 1);
  expect(packing.remaining).toBeNull();
  hear('pack', 0);
  expect(packing.progress?.stage).toBe('pack');
  now = 9000;
  hear('pack', 0);
  expect(packing.remaining).toBeNull(); // nothing is gained that could be counted
});
