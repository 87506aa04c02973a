/**
 * The bytes of a model's parts in the database. They lie there as Blobs: an ArrayBuffer of this size passes through the browser's
 * serialisation once more on its way out, which halves the rate at which parts are read (Chromium 156, 2 busy cores: 43 MB/s, not 90).
 */
import { isNamed, type Storage, type WriteTransaction } from './database';
import type { LoratorySchema } from './schema';

type Key = LoratorySchema['modelChunks']['key'];

/** Where Blobs may not be stored (a private window of Safari), the buffer itself is. */
export async function putChunk(
  transaction: WriteTransaction<'modelParts' | 'modelChunks'>,
  key: Key,
  bytes: ArrayBuffer,
): Promise<void> {
  const store = transaction.objectStore('modelChunks');
  try {
    await store.put(new Blob([bytes]), key);
  } catch (error) {
    if (!isNamed(error, 'DataCloneError')) throw error;
    await store.put(bytes, key);
  }
}

/** Null where there is none, or where the browser has lost the file that it lay in. */
export async function getChunk(db: Storage, key: Key): Promise<ArrayBuffer | null> {
  const chunk = await db.get('modelChunks', key);
  if (!(chunk instanceof Blob)) return chunk ?? null;
  try {
    return await chunk.arrayBuffer();
  } catch (error) {
    if (isNamed(error, 'NotReadableError') || isNamed(error, 'NotFoundError')) return null;
    throw error;
  }
}
