/**
 * Models kept in the browser: a manifest and chunks of at most 16 MiB, each with its hash. The manifest is written last,
 * so a model that was cut off while saving is not there. Not a converter: bytes are kept as they came.
 */
import { toFloat32 } from '../checkpoint/safetensors';
import type { WeightSource } from '../checkpoint/source';
import { sha256, StorageDamaged, write, type Storage } from './database';
import type { ChunkSeal, StoredModel, StoredTensor } from './schema';

export const CHUNK_BYTES = 16 * 2 ** 20;

export type ModelToSave = Omit<StoredModel, 'tensors'> & { tensors: Omit<StoredTensor, 'chunks'>[] };

/** Takes the tensors one at a time, in any order; every tensor of `model.tensors` must come once. */
export async function saveModel(
  db: Storage,
  model: ModelToSave,
  source: AsyncIterable<{ name: string; bytes: Uint8Array }>,
): Promise<StoredModel> {
  await deleteModel(db, model.id);
  try {
    const sealed = new Map<string, ChunkSeal[]>();
    for await (const { name, bytes } of source) {
      const index = model.tensors.findIndex((tensor) => tensor.name === name);
      if (index < 0) throw new Error(`${name} is not a tensor of ${model.name}.`);
      sealed.set(name, await saveChunks(db, model.id, index, bytes, `${name} of ${model.name}`));
    }
    const tensors = model.tensors.map((tensor) => {
      const chunks = sealed.get(tensor.name);
      if (!chunks) throw new Error(`The tensor ${tensor.name} of ${model.name} never came.`);
      return { ...tensor, chunks };
    });
    const stored: StoredModel = { ...model, tensors };
    await write(
      db,
      ['models'],
      { what: `the model ${model.name}`, needed: model.bytes },
      async (transaction) => {
        await transaction.objectStore('models').put(stored);
      },
    );
    return stored;
  } catch (cause) {
    await deleteModel(db, model.id);
    throw cause;
  }
}

export async function listModels(db: Storage): Promise<StoredModel[]> {
  const models = await db.getAll('models');
  return models.sort((a, b) => b.created - a.created);
}

/** Reads one tensor at a time and checks each chunk against its hash. */
export async function modelSource(
  db: Storage,
  id: string,
): Promise<{ record: StoredModel; source: WeightSource }> {
  const record = await db.get('models', id);
  if (!record) throw new Error(`There is no stored model ${id}.`);
  const find = (name: string) => {
    const index = record.tensors.findIndex((tensor) => tensor.name === name);
    const tensor = record.tensors[index];
    if (!tensor) throw new StorageDamaged(`The stored model ${record.name} has no tensor ${name}.`);
    return { index, tensor };
  };
  const source: WeightSource = {
    names: () => record.tensors.map((tensor) => tensor.name),
    shape: (name) => [...find(name).tensor.shape],
    read: async (name) => {
      const { index, tensor } = find(name);
      return toFloat32(await loadChunks(db, record, index, tensor), tensor.dtype);
    },
  };
  return { record, source };
}

export async function deleteModel(db: Storage, id: string): Promise<void> {
  const chunks = IDBKeyRange.bound([id], [id, Infinity, Infinity]);
  await write(db, ['models', 'modelChunks'], { what: 'deleting a model', needed: 0 }, async (transaction) => {
    await transaction.objectStore('models').delete(id);
    await transaction.objectStore('modelChunks').delete(chunks);
  });
}

async function saveChunks(
  db: Storage,
  id: string,
  tensor: number,
  bytes: Uint8Array,
  what: string,
): Promise<ChunkSeal[]> {
  const seals: ChunkSeal[] = [];
  for (let begin = 0; begin < bytes.length; begin += CHUNK_BYTES) {
    const chunk = bytes.slice(begin, begin + CHUNK_BYTES).buffer;
    const key: [string, number, number] = [id, tensor, seals.length];
    seals.push({ bytes: chunk.byteLength, sha256: await sha256(chunk) });
    await write(db, ['modelChunks'], { what, needed: bytes.length }, async (transaction) => {
      await transaction.objectStore('modelChunks').put(chunk, key);
    });
  }
  return seals;
}

async function loadChunks(
  db: Storage,
  model: StoredModel,
  index: number,
  tensor: StoredTensor,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(tensor.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0));
  let at = 0;
  for (const [part, seal] of tensor.chunks.entries()) {
    const chunk = await db.get('modelChunks', [model.id, index, part]);
    const what = `Part ${part + 1} of ${tensor.chunks.length} of ${tensor.name} in the stored model ${model.name}`;
    if (!chunk) throw new StorageDamaged(`${what} is missing. Delete the model and add it again.`);
    if (chunk.byteLength !== seal.bytes || (await sha256(chunk)) !== seal.sha256) {
      throw new StorageDamaged(
        `${what} is damaged: its ${chunk.byteLength} bytes do not match the hash of the ${seal.bytes} saved. ` +
          'Delete the model and add it again.',
      );
    }
    bytes.set(new Uint8Array(chunk), at);
    at += chunk.byteLength;
  }
  return bytes;
}
