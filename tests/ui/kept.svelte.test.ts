/** The file of the last visit: opened again, unless the person was quicker; what cannot be kept is said. */
import { beforeEach, expect, it, vi } from 'vitest';
import { Session } from '../../src/state/session.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { around } from './mountable';
import { report } from './samples/data';

let trainer: FakeTrainer;
const opened = vi.fn<(name: string) => void>();
const dataset = fakeDataset({
  open: async ({ name }) => {
    opened(name);
    return ok({ ...report, name });
  },
});
const kept = new Map<string, string>();
const store = {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
};
const visit = () => new Session(around({ trainer, dataset, store }));
beforeEach(() => {
  kept.clear();
  trainer = new FakeTrainer();
  opened.mockClear();
});

it('what one visit opened, the next opens again', async () => {
  const first = visit();
  await first.load();
  expect(first.data.phase).toBe('empty');
  await first.openFile(new File(['q,a'], 'mine.csv'));
  const second = visit();
  await second.load();
  expect(second.data.report?.name).toBe('mine.csv');
  expect(second.lessons.chosen).toBeNull();
});

it('a lesson in its place leaves nothing to open', async () => {
  const first = visit();
  await first.load();
  await first.openFile(new File(['q,a'], 'mine.csv'));
  const [lesson] = first.lessons.list;
  if (lesson === undefined) throw new Error('no lesson');
  await first.openLesson(lesson);
  expect(trainer.dataset).toBeNull();
});

it('a lesson is opened again too, with what was edited in its settings', async () => {
  const first = visit();
  await first.load();
  const [lesson] = first.lessons.list;
  if (lesson === undefined) throw new Error('no lesson');
  await first.openLesson(lesson);
  first.form.put('rank', 24);
  first.form.keepNow(); // as a page that is left does
  const second = visit();
  await second.load();
  expect(second.lessons.chosen?.id).toBe(lesson.id);
  expect(second.data.report?.name).toBe(lesson.file);
  expect(second.form.baseName).toBe(lesson.title);
  expect(second.form.settings).toEqual({ ...first.form.settings, rank: 24 });
  expect(second.form.changed).toEqual(['rank']);
  // and not after a file of one's own
  await second.openFile(new File(['q,a'], 'mine.csv'));
  const third = visit();
  await third.load();
  expect(third.data.report?.name).toBe('mine.csv');
  expect(third.lessons.chosen).toBeNull();
});

it('does not come between a person and the file they choose', async () => {
  trainer.dataset = { name: 'old.csv', bytes: new Blob(['q,a']) };
  const session = visit();
  await Promise.all([session.load(), session.openFile(new File(['q,a'], 'new.csv'))]);
  expect(opened.mock.calls).toEqual([['new.csv']]);
  expect(session.data.report?.name).toBe('new.csv');
});

it('says once that a kept file cannot be read any more', async () => {
  trainer.dataset = { name: 'old.csv', bytes: new Blob(['q,a']) };
  const failure = { kind: 'bad-input', message: 'old.csv has no rows.' } as const;
  const session = new Session(
    around({ trainer, dataset: fakeDataset({ open: async () => ({ ok: false, failure }) }) }),
  );
  await session.load();
  expect(session.data.failure).toEqual(failure);
  expect(trainer.dataset).toBeNull();
});

it('says why a file will be gone, and trains with it all the same', async () => {
  trainer.keepDataset = async () => ({ ok: false, failure: { kind: 'internal', message: 'No room.' } });
  const session = visit();
  await session.load();
  expect(await session.openFile(new File(['q,a'], 'mine.csv'))).toBe(true);
  expect(session.data.unkept?.message).toBe('No room.');
  expect(session.failure).toBeNull();
});
