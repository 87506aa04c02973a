/** The dataset last opened, so that a reload shows it again. Only one is kept: files can be large. */
import { write, type Storage } from './database';
import type { KeptDataset } from './schema';

export async function keepDataset(db: Storage, dataset: KeptDataset): Promise<void> {
  const request = { what: `the dataset ${dataset.name}`, needed: dataset.bytes.byteLength };
  await write(db, ['datasets'], request, async (transaction) => {
    await transaction.objectStore('datasets').clear();
    await transaction.objectStore('datasets').put(dataset);
  });
}

export async function lastDataset(db: Storage): Promise<KeptDataset | null> {
  const kept = await db.getAll('datasets');
  return kept[0] ?? null;
}

export async function deleteDatasets(db: Storage): Promise<void> {
  await write(db, ['datasets'], { what: 'deleting a dataset', needed: 0 }, async (transaction) => {
    await transaction.objectStore('datasets').clear();
  });
}
