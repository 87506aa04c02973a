import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDB } from 'idb';
import {
  deleteAdapter,
  listAdapters,
  loadAdapter,
  renameAdapter,
  saveAdapter,
} from '../../src/storage/adapters';
import { loadCheckpoint, saveCheckpoint } from '../../src/storage/checkpoints';
import {
  openStorage,
  StorageFull,
  write,
  type Storage,
  type StorageNotice,
} from '../../src/storage/database';

let db: Storage;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`test-${++databases}`);
});
afterEach(() => db.close());

const bytesOf = (...values: number[]) => new Uint8Array(values).buffer;

describe('opening', () => {
  it('closes an old connection when a newer version asks, and says so', async () => {
    const notices: StorageNotice[] = [];
    const old = await openStorage('upgraded', (notice) => notices.push(notice));
    const newer = await openDB('upgraded', 99);
    expect(notices).toMatchObject([{ kind: 'closed' }]);
    expect(() => old.transaction('runs')).toThrow();
    newer.close();
  });

  it('leaves data of a newer version alone and says so', async () => {
    (await openDB('newer', 99, { upgrade: (made) => void made.createObjectStore('future') })).close();
    await expect(openStorage('newer')).rejects.toThrow(/made by a newer version.*left as it is/);
    const untouched = await openDB('newer');
    expect([untouched.version, [...untouched.objectStoreNames]]).toEqual([99, ['future']]);
    untouched.close();
  });
});

describe('writing', () => {
  it('keeps nothing of a write that throws half way', async () => {
    const half = write(db, ['modelChunks'], { what: 'x', needed: 1 }, async (transaction) => {
      await transaction.objectStore('modelChunks').put(bytesOf(1), ['a', 0]);
      throw new Error('half way');
    });
    await expect(half).rejects.toThrow('half way');
    expect(await db.count('modelChunks')).toBe(0);
  });

  it('turns a full disk into StorageFull with the bytes it needed', async () => {
    const full = write(db, ['modelChunks'], { what: 'the model big', needed: 77 }, () =>
      Promise.reject(new DOMException('The quota has been exceeded.', 'QuotaExceededError')),
    );
    await expect(full).rejects.toThrow(StorageFull);
    await expect(full).rejects.toMatchObject({ needed: 77 });
    await expect(full).rejects.toThrow(/no room for the model big \(77 bytes\)/);
  });
});

describe('checkpoints', () => {
  const save = (step: number) =>
    saveCheckpoint(db, 'run', { step, bytes: bytesOf(step, step), meta: { step } });
  const damage = async (step: number) => {
    const slots = await db.getAll('checkpoints');
    const slot = slots.find((stored) => stored.step === step);
    if (!slot) throw new Error(`no slot holds step ${step}`);
    await db.put('checkpoints', { ...slot, bytes: bytesOf(99) });
  };

  it('returns null for a run that has none', async () => {
    expect(await loadCheckpoint(db, 'run')).toEqual({ checkpoint: null, skipped: [] });
  });

  it('keeps the two newest and loads the newest', async () => {
    for (const step of [10, 20, 30]) await save(step);
    const { checkpoint } = await loadCheckpoint(db, 'run');
    expect(checkpoint).toEqual({ step: 30, bytes: bytesOf(30, 30), meta: { step: 30 } });
    expect((await db.getAll('checkpoints')).map(({ step }) => step).sort()).toEqual([20, 30]);
  });

  it('passes over a torn one, says so, and overwrites the torn slot next', async () => {
    for (const step of [10, 20]) await save(step);
    await damage(20);
    const { checkpoint, skipped } = await loadCheckpoint(db, 'run');
    expect(checkpoint?.step).toBe(10);
    expect(skipped).toEqual(['The checkpoint of step 20 is damaged and was passed over.']);
    await save(15);
    expect((await db.getAll('checkpoints')).map(({ step }) => step).sort()).toEqual([10, 15]);
    expect((await loadCheckpoint(db, 'run')).checkpoint?.step).toBe(15);
  });

  it('names both when both are torn', async () => {
    for (const step of [10, 20]) await save(step);
    await damage(10);
    await damage(20);
    const { checkpoint, skipped } = await loadCheckpoint(db, 'run');
    expect([checkpoint, skipped.length]).toEqual([null, 2]);
  });

  it('notices a step that does not belong to the bytes', async () => {
    await save(10);
    const [slot] = await db.getAll('checkpoints');
    if (!slot) throw new Error('nothing was saved');
    await db.put('checkpoints', { ...slot, step: 11 });
    expect((await loadCheckpoint(db, 'run')).checkpoint).toBeNull();
  });

  it('keeps runs apart', async () => {
    await save(10);
    await saveCheckpoint(db, 'run2', { step: 99, bytes: bytesOf(1), meta: null });
    expect((await loadCheckpoint(db, 'run')).checkpoint?.step).toBe(10);
  });
});

describe('adapters', () => {
  const summary = {
    id: 'a',
    name: 'First',
    modelId: 'tiny',
    modelName: 'Tiny',
    created: 1,
    bytes: 3,
    rank: 4,
    alpha: 8,
    targets: ['q_proj'],
    origin: 'trained' as const,
    bestLoss: 0.5,
    runId: 'run',
  };
  const files = { peft: { config: '{}', weights: new Uint8Array([1, 2, 3]) }, runRecord: null };

  it('saves, lists, renames, loads and deletes an adapter', async () => {
    await saveAdapter(db, { summary, ...files });
    await renameAdapter(db, 'a', 'Second');
    expect((await listAdapters(db)).map(({ name }) => name)).toEqual(['Second']);
    expect(await loadAdapter(db, 'a')).toEqual({ summary: { ...summary, name: 'Second' }, ...files });
    await deleteAdapter(db, 'a');
    await expect(loadAdapter(db, 'a')).rejects.toThrow('There is no stored adapter a.');
    expect(await db.count('adapterFiles')).toBe(0);
  });
});
