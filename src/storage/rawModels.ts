/**
 * Models that version 1 of the schema kept as raw tensors: read as a checkpoint, so that they pass through the same conversion
 * as a download. Each tensor is a file of its own here.
 */
import type { Checkpoint, CheckpointTensor } from '../checkpoint/checkpoint';
import { readByStream, type FileBytes } from '../checkpoint/fileBytes';
import { getChunk } from './chunks';
import { sha256, StorageDamaged, write, type Storage } from './database';
import type { RawModel, RawTensor } from './schema';

export function listRawModels(db: Storage): Promise<RawModel[]> {
  return db.getAll('rawModels');
}

export function rawCheckpoint(db: Storage, model: RawModel): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  model.tensors.forEach((tensor, index) => {
    const { name, shape, dtype } = tensor;
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') return; // whole numbers are no weights
    const file = rawFile(db, model, tensor, index);
    tensors.set(name, { name, shape, encoding: dtype, at: { file, begin: 0, end: file.size } });
  });
  return { tensors, config: model.config, texts: new Map() };
}

function rawFile(db: Storage, model: RawModel, { name, chunks }: RawTensor, index: number): FileBytes {
  const size = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  async function* stream(begin: number, end: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let at = 0;
    for (const [part, seal] of chunks.entries()) {
      const from = Math.max(begin, at);
      const to = Math.min(end, at + seal.bytes);
      if (from < to) {
        const chunk = await getChunk(db, [model.id, index, part]);
        if (chunk?.byteLength !== seal.bytes || (await sha256(chunk)) !== seal.sha256)
          throw new StorageDamaged(
            `Part ${part + 1} of ${chunks.length} of ${name} in the stored model ${model.name} is missing or damaged. ` +
              'Delete the model and add it again.',
          );
        yield new Uint8Array(chunk, from - at, to - from);
      }
      at += seal.bytes;
    }
  }
  return {
    name,
    size,
    stream,
    read: readByStream(stream),
  };
}

/** The record and its chunks; parts of the converted model lie under other keys. */
export async function deleteRawModel(db: Storage, model: RawModel): Promise<void> {
  const request = { what: 'deleting a model', needed: 0 };
  await write(db, ['rawModels', 'modelChunks'], request, async (transaction) => {
    await transaction.objectStore('rawModels').delete(model.id);
    for (const [tensor, { chunks }] of model.tensors.entries())
      for (const part of chunks.keys())
        await transaction.objectStore('modelChunks').delete([model.id, tensor, part]);
  });
}
