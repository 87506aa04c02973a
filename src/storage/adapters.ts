/** Adapters kept in the browser: a summary for lists, and the PEFT files as they are handed out. */
import type { AdapterSummary } from '../protocol/adapters';
import { write, type Storage } from './database';
import type { AdapterFiles } from './schema';

export interface StoredAdapter extends AdapterFiles {
  summary: AdapterSummary;
}

export async function saveAdapter(db: Storage, adapter: StoredAdapter): Promise<void> {
  const { summary, peft, runRecord } = adapter;
  const request = { what: `the adapter ${summary.name}`, needed: peft.weights.byteLength };
  await write(db, ['adapters', 'adapterFiles'], request, async (transaction) => {
    await transaction.objectStore('adapters').put(summary);
    await transaction.objectStore('adapterFiles').put({ id: summary.id, peft, runRecord });
  });
}

export async function loadAdapter(db: Storage, id: string): Promise<StoredAdapter> {
  const transaction = db.transaction(['adapters', 'adapterFiles']);
  const [summary, files] = await Promise.all([
    transaction.objectStore('adapters').get(id),
    transaction.objectStore('adapterFiles').get(id),
  ]);
  if (!summary || !files) throw new Error(`There is no stored adapter ${id}.`);
  return { summary, peft: files.peft, runRecord: files.runRecord };
}

/** Newest first. */
export async function listAdapters(db: Storage): Promise<AdapterSummary[]> {
  const adapters = await db.getAll('adapters');
  return adapters.sort((a, b) => b.created - a.created);
}

export async function renameAdapter(db: Storage, id: string, name: string): Promise<void> {
  await write(db, ['adapters'], { what: 'the name of an adapter', needed: 100 }, async (transaction) => {
    const summary = await transaction.objectStore('adapters').get(id);
    if (!summary) throw new Error(`There is no stored adapter ${id}.`);
    await transaction.objectStore('adapters').put({ ...summary, name });
  });
}

export async function deleteAdapter(db: Storage, id: string): Promise<void> {
  const request = { what: 'deleting an adapter', needed: 0 };
  await write(db, ['adapters', 'adapterFiles'], request, async (transaction) => {
    await transaction.objectStore('adapters').delete(id);
    await transaction.objectStore('adapterFiles').delete(id);
  });
}
