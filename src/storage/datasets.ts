/** The file of one's own that was open last, so that a page that is opened again goes on with it. Knows nothing of what is in it. */
import type { DatasetFile } from '../protocol/datasetApi';
import { isNamed, write, type Storage } from './database';
import { unmarkRemoved } from './removals';
import type { StoredDataset } from './schema';

/** One at a time: opening another takes its place. */
const OPENED = 'opened';

/** Where Blobs may not be stored (a private window of Safari), the bytes themselves are. */
export async function keepDataset(db: Storage, { name, bytes, columns }: DatasetFile<Blob>): Promise<void> {
  const record = { id: OPENED, name, size: bytes.size, created: Date.now(), ...(columns && { columns }) };
  const put = (stored: Blob | ArrayBuffer) =>
    write(db, ['files'], { what: `the file ${name}`, needed: bytes.size }, async (transaction) => {
      await transaction.objectStore('files').put({ ...record, bytes: stored });
    });
  try {
    await put(bytes);
  } catch (error) {
    if (!isNamed(error, 'DataCloneError')) throw error;
    await put(await bytes.arrayBuffer());
  }
  // another one lay here, and was deleted a moment ago
  await unmarkRemoved(db, 'dataset', OPENED);
}

export function listDatasets(db: Storage): Promise<StoredDataset[]> {
  return db.getAll('files');
}

export async function deleteDataset(db: Storage, id: string): Promise<void> {
  await write(db, ['files'], { what: 'deleting a file', needed: 0 }, async (transaction) => {
    await transaction.objectStore('files').delete(id);
  });
}
