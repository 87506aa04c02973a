/** How many bytes each stored thing takes, read from records and keys; large values are touched one at a time at most. */
import type { StoredItem } from '../protocol/models';
import type { Storage } from './database';
import { listDatasets } from './datasets';
import { listParts } from './modelParts';
import { listDownloads, listModels } from './models';
import { listRawModels } from './rawModels';

export async function storedItems(db: Storage): Promise<StoredItem[]> {
  const groups = [models(db), downloads(db), runs(db), adapters(db), datasets(db)];
  return (await Promise.all(groups)).flat();
}

async function models(db: Storage): Promise<StoredItem[]> {
  const kept = (await listModels(db)).map(({ id, name, bytes, created, weightFormat }): StoredItem => ({
    kind: 'model',
    id,
    name,
    bytes,
    created,
    note: weightFormat,
  }));
  const raw = (await listRawModels(db)).map(({ id, name, bytes, created }): StoredItem => ({
    kind: 'model',
    id,
    name,
    bytes,
    created,
    note: null,
  }));
  return [...kept, ...raw];
}

async function downloads(db: Storage): Promise<StoredItem[]> {
  return Promise.all(
    (await listDownloads(db)).map(async ({ id, name, created, weightFormat }): Promise<StoredItem> => {
      const parts = await listParts(db, id);
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      return { kind: 'download', id, name, bytes, created, note: weightFormat };
    }),
  );
}

async function runs(db: Storage): Promise<StoredItem[]> {
  const bytes = new Map<string, number>();
  const add = (id: string, size: number) => bytes.set(id, (bytes.get(id) ?? 0) + size);
  for (const key of await db.getAllKeys('checkpoints')) {
    const checkpoint = await db.get('checkpoints', key);
    add(key[0], checkpoint?.bytes.byteLength ?? 0);
  }
  for (const id of await db.getAllKeys('runData')) {
    const rows = await db.get('runData', id);
    for (const part of rows ? [rows.data.train, rows.data.validation] : [])
      add(id, part.ids.byteLength + part.targets.byteLength + part.documentStart.byteLength);
  }
  return (await db.getAll('runs')).map(({ id, name, created, step, steps }) => ({
    kind: 'run',
    id,
    name,
    bytes: bytes.get(id) ?? 0,
    created,
    note: `step ${step} of ${steps}`,
  }));
}

async function adapters(db: Storage): Promise<StoredItem[]> {
  return (await db.getAll('adapters')).map(({ id, name, bytes, created, rank }) => ({
    kind: 'adapter',
    id,
    name,
    bytes,
    created,
    note: `rank ${rank}`,
  }));
}

async function datasets(db: Storage): Promise<StoredItem[]> {
  return (await listDatasets(db)).map(({ id, name, size, created }) => ({
    kind: 'dataset',
    id,
    name,
    bytes: size,
    created,
    note: null,
  }));
}
