/**
 * Opens the one database and runs its writes. A write either happens whole or throws; a full disk is a `StorageFull`.
 * Knows no subject: models, runs and the rest have their own files.
 */
import { openDB, type IDBPDatabase, type IDBPTransaction, type StoreNames } from 'idb';
import type { Bytes } from '../units';
import { SCHEMA_VERSION, type LoratorySchema, type RawModel } from './schema';

export type Storage = IDBPDatabase<LoratorySchema>;
type Stores = StoreNames<LoratorySchema>;
export type WriteTransaction<S extends Stores> = IDBPTransaction<LoratorySchema, S[], 'readwrite'>;

/** The browser refused to store more. Nothing of the write was kept. */
export class StorageFull extends Error {
  override name = 'StorageFull';
  constructor(
    readonly needed: Bytes,
    what: string,
  ) {
    super(
      `The browser has no room for ${what} (${needed} bytes). Export what you want to keep, then delete old runs or models.`,
    );
  }
}

/** Stored bytes are missing or do not match their hash. */
export class StorageDamaged extends Error {
  override name = 'StorageDamaged';
}

/** What may happen to a connection that is open, in words for a person. */
export type StorageNotice = { kind: 'waiting'; message: string } | { kind: 'closed'; message: string };

export async function openStorage(
  name = 'loratory',
  notify: (notice: StorageNotice) => void = () => undefined,
): Promise<Storage> {
  try {
    const db: Storage = await openDB<LoratorySchema>(name, SCHEMA_VERSION, {
      upgrade: (db, from, _to, transaction) => {
        if (from < 1) createStores(db);
        if (from < 2) createModelStores(db);
        // not `datasets`: databases of version 1 have a store of that name
        if (from < 3) db.createObjectStore('files', { keyPath: 'id' });
        // nobody waits for it: what fails there aborts the upgrade, and opening fails with it
        if (from === 1) setRawModelsAside(transaction).catch(() => abort(transaction));
      },
      blocked: () =>
        notify({
          kind: 'waiting',
          message: 'Another tab still uses the stored data of an older version. Close it to go on.',
        }),
      blocking: () => {
        db.close();
        notify({
          kind: 'closed',
          message: 'A newer version was opened in another tab. Reload this one; nothing saved is lost.',
        });
      },
      terminated: () =>
        notify({
          kind: 'closed',
          message: 'The browser closed the stored data of this page. Export what is not saved, then reload.',
        }),
    });
    return db;
  } catch (cause) {
    if (!isNamed(cause, 'VersionError')) throw cause;
    throw new Error(
      `The stored data was made by a newer version of Loratory than this one (which reads version ${SCHEMA_VERSION}). ` +
        'It was left as it is; reload to get the newer version.',
      { cause },
    );
  }
}

export interface WriteRequest {
  what: string;
  needed: Bytes;
  /** 'relaxed': for what carries a hash and is checked when it is read. */
  durability?: 'strict' | 'relaxed';
}

/**
 * Runs `work` in one transaction that is on disk when this resolves. If `work` throws, nothing is kept.
 * `what` and `needed` are for the message of a full disk.
 */
export async function write<S extends Stores>(
  db: Storage,
  stores: S[],
  { what, needed, durability = 'strict' }: WriteRequest,
  work: (transaction: WriteTransaction<S>) => Promise<void>,
): Promise<void> {
  const transaction = db.transaction(stores, 'readwrite', { durability });
  const [worked, done] = await Promise.allSettled([abortOnThrow(transaction, work), transaction.done]);
  // A full disk arrives as the transaction's error, while the request in flight only says that it was aborted.
  const failed = [done, worked].filter((result) => result.status === 'rejected');
  if (failed.some(({ reason }) => isNamed(reason, 'QuotaExceededError'))) throw new StorageFull(needed, what);
  if (worked.status === 'rejected') throw worked.reason;
  if (done.status === 'rejected') throw done.reason;
}

async function abortOnThrow<S extends Stores>(
  transaction: WriteTransaction<S>,
  work: (transaction: WriteTransaction<S>) => Promise<void>,
): Promise<void> {
  try {
    await work(transaction);
  } catch (cause) {
    abort(transaction);
    throw cause;
  }
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already, by the same cause; `transaction.done` tells.
  }
}

/** Hex sha-256. Awaiting it inside a transaction would end the transaction, so hash first. */
export async function sha256(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function createStores(db: Storage): void {
  db.createObjectStore('models', { keyPath: 'id' });
  db.createObjectStore('modelChunks');
  db.createObjectStore('runs', { keyPath: 'id' });
  db.createObjectStore('runDetails', { keyPath: 'id' });
  db.createObjectStore('runCurves', { keyPath: 'id' });
  db.createObjectStore('runData', { keyPath: 'id' });
  const checkpoints = db.createObjectStore('checkpoints', { keyPath: ['runId', 'slot'] });
  checkpoints.createIndex('bySequence', ['runId', 'sequence']);
  db.createObjectStore('adapters', { keyPath: 'id' });
  db.createObjectStore('adapterFiles', { keyPath: 'id' });
}

function createModelStores(db: Storage): void {
  db.createObjectStore('downloads', { keyPath: 'id' });
  db.createObjectStore('modelParts', { keyPath: ['modelId', 'index'] });
  db.createObjectStore('rawModels', { keyPath: 'id' });
  db.createObjectStore('removals', { keyPath: ['kind', 'id'] });
  db.createObjectStore('measurements', { keyPath: 'device' });
}

/** Models of version 1 keep their bytes; they are converted when they are first opened (`rawModels.ts`). */
async function setRawModelsAside(
  transaction: IDBPTransaction<LoratorySchema, Stores[], 'versionchange'>,
): Promise<void> {
  const models = transaction.objectStore('models');
  const raw = (await models.getAll()) as unknown[] as RawModel[];
  for (const model of raw) await transaction.objectStore('rawModels').put(model);
  await models.clear();
}

/** Errors of the browser are told apart by their names. */
export function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
