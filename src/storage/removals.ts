/** What a person has deleted and may still want back: hidden from the lists, gone when its time is up. */
import type { StoredKind } from '../protocol/models';
import { write, type Storage } from './database';
import type { Removal } from './schema';

export async function markRemoved(db: Storage, removal: Removal): Promise<void> {
  await write(db, ['removals'], { what: 'a deletion', needed: 100 }, async (transaction) => {
    await transaction.objectStore('removals').put(removal);
  });
}

/** Also when it is gone for good. */
export async function unmarkRemoved(db: Storage, kind: StoredKind, id: string): Promise<void> {
  await write(db, ['removals'], { what: 'a deletion', needed: 0 }, async (transaction) => {
    await transaction.objectStore('removals').delete([kind, id]);
  });
}

export function listRemovals(db: Storage): Promise<Removal[]> {
  return db.getAll('removals');
}

export async function removedIds(db: Storage, kind: StoredKind): Promise<Set<string>> {
  const removals = await listRemovals(db);
  return new Set(removals.filter((removal) => removal.kind === kind).map(({ id }) => id));
}
