/** The file that was open last: one at a time, hidden while its deletion can be undone, there after an upgrade. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDB } from 'idb';
import { openStorage, type Storage } from '../../src/storage/database';
import { storedItems } from '../../src/storage/sizes';
import { Keeping } from '../../workers/models/keeping';

let db: Storage;
let keeping: Keeping;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`datasets-${++databases}`);
  keeping = new Keeping(
    db,
    () => undefined,
    async () => undefined,
    async () => undefined,
  );
});
afterEach(() => db.close());

const file = (name: string, text: string) => ({ name, bytes: new Blob([text]) });
const found = async () => {
  const kept = await keeping.keptDataset();
  return kept && [kept.name, await kept.bytes.text()];
};

it('keeps one file, byte for byte, until another takes its place', async () => {
  expect(await found()).toBeNull();
  await keeping.keepDataset(file('a.csv', 'q,a\n1,é'));
  expect(await found()).toEqual(['a.csv', 'q,a\n1,é']);
  await keeping.keepDataset(file('b.csv', 'q,a'));
  expect(await found()).toEqual(['b.csv', 'q,a']);
  // q , a: three bytes
  expect(await storedItems(db)).toMatchObject([{ kind: 'dataset', name: 'b.csv', bytes: 3 }]);
});

it('keeps what a person said of its columns, for that file alone', async () => {
  const columns = { question: 'Clue', answer: 'Town' };
  await keeping.keepDataset({ ...file('a.csv', 'q,a'), columns });
  expect((await keeping.keptDataset())?.columns).toEqual(columns);
  await keeping.keepDataset(file('b.csv', 'q,a'));
  expect((await keeping.keptDataset())?.columns).toBeUndefined();
});

it('forgets it where there is nothing to go on with', async () => {
  await keeping.keepDataset(file('a.csv', 'q,a'));
  await keeping.keepDataset(null);
  expect(await found()).toBeNull();
  expect(await storedItems(db)).toEqual([]);
});

it('is hidden once deleted, comes back when that is undone, and makes room for the next', async () => {
  await keeping.keepDataset(file('a.csv', 'q,a'));
  await keeping.remove('dataset', 'opened');
  expect(await found()).toBeNull();
  await keeping.undo('dataset', 'opened');
  expect(await found()).toEqual(['a.csv', 'q,a']);
  await keeping.remove('dataset', 'opened');
  await keeping.keepDataset(file('b.csv', 'q'));
  expect(await found()).toEqual(['b.csv', 'q']);
  expect((await keeping.report()).removed).toEqual([]);
});

it('a database of version 2 gets a place for it and loses nothing', async () => {
  const old = await openDB('version-2', 2, {
    upgrade: (made) => void made.createObjectStore('runs', { keyPath: 'id' }),
  });
  await old.put('runs', { id: 'r1' });
  old.close();
  const upgraded = await openStorage('version-2');
  expect(await upgraded.getAll('runs')).toEqual([{ id: 'r1' }]);
  expect(await upgraded.getAll('files')).toEqual([]);
  upgraded.close();
});
