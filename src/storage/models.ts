/**
 * Models kept in the browser: a record, and planes in parts. The record is written last, so a model that was cut off while it
 * came in is a download, not a model. Not a converter: what is stored is what the device reads.
 */
import { decode, encode } from '../checkpoint/planes';
import type { Piece } from '../checkpoint/pieces';
import type { WeightSource } from '../checkpoint/source';
import { usableFormat, type WeightFormat } from '../protocol/weightFormats';
import { sha256, StorageDamaged, write, type Storage } from './database';
import { deleteParts, listParts, piecesOfPart, rangeOf, readPart, rowsOf, widthOf } from './modelParts';
import type { ModelHead, StoredModel, StoredPart } from './schema';

export async function listModels(db: Storage): Promise<StoredModel[]> {
  const models = await db.getAll('models');
  return models.sort((a, b) => b.created - a.created);
}

export async function findModel(db: Storage, id: string): Promise<StoredModel | null> {
  return (await db.get('models', id)) ?? null;
}

export async function listDownloads(db: Storage): Promise<ModelHead[]> {
  return db.getAll('downloads');
}

export async function beginDownload(db: Storage, head: ModelHead): Promise<void> {
  await write(db, ['downloads'], { what: `the model ${head.name}`, needed: 1000 }, async (transaction) => {
    await transaction.objectStore('downloads').put(head);
  });
}

/** From now on it is a model. */
export async function endDownload(db: Storage, model: StoredModel): Promise<void> {
  const request = { what: `the model ${model.name}`, needed: 1000 };
  await write(db, ['downloads', 'models'], request, async (transaction) => {
    await transaction.objectStore('models').put(model);
    await transaction.objectStore('downloads').delete(model.id);
  });
}

/** A model, or what there is of one. */
export async function deleteModel(db: Storage, id: string): Promise<void> {
  const stores = ['models', 'downloads', 'rawModels', 'modelParts', 'modelChunks'] as const;
  await write(db, [...stores], { what: 'deleting a model', needed: 0 }, async (transaction) => {
    for (const store of ['models', 'downloads', 'rawModels'] as const)
      await transaction.objectStore(store).delete(id);
    await transaction.objectStore('modelParts').delete(rangeOf(id));
    await transaction.objectStore('modelChunks').delete(rangeOf(id));
  });
}

/** Of a model's form and of all its planes, by the hashes of its parts: the same here and on another machine. */
export async function modelHash(db: Storage, { id, config }: StoredModel): Promise<string> {
  const parts = (await listParts(db, id)).map((part) => part.sha256);
  return sha256(new TextEncoder().encode(JSON.stringify([config, parts])));
}

/** Parts whose model never became one: their tab was closed while they were imported. */
export async function deleteOrphans(db: Storage): Promise<void> {
  const known = new Set([...(await db.getAllKeys('models')), ...(await db.getAllKeys('downloads'))]);
  const owners = new Set((await db.getAllKeys('modelParts')).map(([owner]) => owner));
  for (const owner of owners) if (!known.has(owner)) await deleteParts(db, owner);
}

/** Reads parts in order, the next ones while one is used; each is checked against its hash. */
export async function modelSource(db: Storage, record: StoredModel): Promise<WeightSource> {
  const parts = await listParts(db, record.id);
  const find = (name: string) => {
    const index = record.tensors.findIndex((tensor) => tensor.name === name);
    const tensor = record.tensors[index];
    if (!tensor) throw new StorageDamaged(`The stored model ${record.name} has no tensor ${name}.`);
    return { index, tensor };
  };
  return {
    names: () => record.tensors.map(({ name }) => name),
    shape: (name) => [...find(name).tensor.shape],
    rounded: ['f32', 'f16'].includes(record.weightFormat) ? null : record.weightFormat,
    async read(name) {
      const { index, tensor } = find(name);
      const width = widthOf(tensor);
      const values = new Float32Array(rowsOf(tensor) * width);
      let rows = 0;
      for (const part of parts.filter(({ pieces }) => pieces.some((piece) => piece.tensor === index))) {
        for (const piece of piecesOfPart(record.tensors, part, await readPart(db, record, part))) {
          if (piece.tensor !== name) continue;
          values.set(decode(piece.planes, piece.format, piece.rows * width), piece.row * width);
          rows += piece.rows;
        }
      }
      if (rows !== rowsOf(tensor))
        throw new StorageDamaged(
          `${name} of the stored model ${record.name} has ${rows} of ${rowsOf(tensor)} rows.`,
        );
      return values;
    },
    async *pieces(wish) {
      if (parts.length !== record.parts)
        throw new StorageDamaged(
          `The stored model ${record.name} has ${parts.length} of ${record.parts} parts. Delete it and add it again.`,
        );
      const shapes = new Map(record.tensors.map(({ name, shape }) => [name, shape]));
      for await (const { part, buffer } of inOrder(db, record, parts))
        for (const piece of piecesOfPart(record.tensors, part, buffer))
          yield inFormat(piece, shapes.get(piece.tensor) ?? [], wish(piece.tensor));
    },
  };
}

/** So many parts are on their way at once: one waits for the disk while another is hashed. */
const READS = 4;

async function* inOrder(
  db: Storage,
  record: StoredModel,
  parts: readonly StoredPart[],
): AsyncGenerator<{ part: StoredPart; buffer: ArrayBuffer }> {
  const coming = parts.values();
  const begun: { part: StoredPart; buffer: Promise<ArrayBuffer> }[] = [];
  const begin = () => {
    const { done, value: part } = coming.next();
    if (done) return;
    const buffer = readPart(db, record, part);
    buffer.catch(() => undefined); // awaited below, or not needed any more
    begun.push({ part, buffer });
  };
  for (let count = 0; count < READS; count++) begin();
  for (let next = begun.shift(); next; next = begun.shift()) {
    const buffer = await next.buffer;
    begin();
    yield { part: next.part, buffer };
  }
}

/** Packed weights stay as they are: nothing finer can be made of them. Wider ones take the form asked for. */
function inFormat(piece: Piece, shape: number[], wish: WeightFormat): Piece {
  const [n = 0, k] = shape;
  if (k === undefined || (piece.format !== 'f32' && piece.format !== 'f16')) return piece;
  const format = usableFormat(wish, n, k);
  if (format === piece.format) return piece;
  const planes = encode(decode(piece.planes, piece.format, piece.rows * k), format);
  return { ...piece, format, planes };
}
