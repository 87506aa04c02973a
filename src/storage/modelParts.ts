/**
 * A model's planes in parts of at most 16 MiB, each with its hash and the place in the source from which one goes on after it.
 * A part and its record are written in one transaction; what a tab left behind is checked before it is built upon.
 */
import type { Piece } from '../checkpoint/pieces';
import type { Planes } from '../checkpoint/planes';
import { release } from '../checkpoint/release';
import { noLosses, sumOfLosses } from '../checkpoint/planesOf';
import type { Losses } from '../protocol/models';
import { planeWords, type WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import { getChunk, putChunk } from './chunks';
import { sha256, StorageDamaged, write, type Storage } from './database';
import type { KeptTensor, StoredPart, StoredPiece } from './schema';

/** A part is closed when it has this many bytes. */
export const PART_BYTES: Bytes = 4 * 2 ** 20;

/** The place in the source after a piece. */
export interface Place {
  file: number;
  end: Bytes;
  /** State of the file's running hash. */
  hash: Uint8Array<ArrayBuffer>;
}

/** Collects pieces into parts. One part is on its way to the disk while the next is collected, never more. */
export class PartWriter {
  readonly #tensors: Map<string, number>;
  #index: number;
  #pieces: StoredPiece[] = [];
  #planes: Uint32Array<ArrayBuffer>[] = [];
  #bytes: Bytes = 0;
  #losses: Losses = noLosses();
  #writing: Promise<void> = Promise.resolve();
  /** Of the parts handed over, and of those before them. */
  stored: Bytes;
  losses: Losses;

  /** `before`: the parts that are there already. */
  constructor(
    private readonly db: Storage,
    private readonly model: { id: string; name: string; tensors: readonly KeptTensor[] },
    before: readonly StoredPart[],
    private readonly partBytes: Bytes = PART_BYTES,
  ) {
    this.#tensors = new Map(model.tensors.map(({ name }, index) => [name, index]));
    this.#index = before.length;
    this.stored = before.reduce((sum, { bytes }) => sum + bytes, 0);
    this.losses = sumOfLosses(before.map(({ losses }) => losses ?? noLosses()));
  }

  get parts(): number {
    return this.#index;
  }

  /** The piece's planes are the writer's from now on. */
  add({ tensor: name, row, rows, planes }: Piece, losses = noLosses()): void {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Error(`${name} is not a tensor of ${this.model.name}.`);
    this.#pieces.push({ tensor, row, rows });
    this.#losses = sumOfLosses([this.#losses, losses]);
    for (const plane of planes) {
      this.#planes.push(plane);
      this.#bytes += plane.byteLength;
    }
  }

  get full(): boolean {
    return this.#bytes >= this.partBytes;
  }

  /** Hands the part over, once the one before is on disk. `place()` is where the source goes on. */
  async close(place: Place): Promise<void> {
    await this.#writing;
    if (this.#pieces.length === 0) return;
    const buffer = joined(this.#planes, this.#bytes);
    release(...this.#planes);
    const [pieces, losses] = [this.#pieces, this.#losses];
    this.#pieces = [];
    this.#planes = [];
    this.#bytes = 0;
    this.#losses = noLosses();
    this.stored += buffer.byteLength;
    this.losses = sumOfLosses([this.losses, losses]);
    this.#writing = this.#put(this.#index++, buffer, { pieces, losses, ...place });
    // the next close or flush tells; until then it is not unhandled
    this.#writing.catch(() => undefined);
  }

  /** Resolves when all that was closed is written. */
  flush(): Promise<void> {
    return this.#writing;
  }

  async #put(
    index: number,
    buffer: ArrayBuffer,
    facts: Place & { pieces: StoredPiece[]; losses: Losses },
  ): Promise<void> {
    const modelId = this.model.id;
    const bytes = buffer.byteLength;
    const part: StoredPart = { modelId, index, bytes, sha256: await sha256(buffer), ...facts };
    await putPart(this.db, this.model.name, part, buffer);
    release({ buffer });
  }
}

function joined(planes: readonly Uint32Array[], bytes: Bytes): ArrayBuffer {
  const words = new Uint32Array(bytes / 4);
  let at = 0;
  for (const plane of planes) {
    words.set(plane, at);
    at += plane.length;
  }
  return words.buffer;
}

/** A part and its planes, or neither. */
export async function putPart(
  db: Storage,
  modelName: string,
  part: StoredPart,
  planes: ArrayBuffer,
): Promise<void> {
  const what = `a part of the model ${modelName}`;
  const request = { what, needed: part.bytes, durability: 'relaxed' as const };
  await write(db, ['modelParts', 'modelChunks'], request, async (transaction) => {
    await putChunk(transaction, [part.modelId, part.index], planes);
    await transaction.objectStore('modelParts').put(part);
  });
}

export function listParts(db: Storage, modelId: string): Promise<StoredPart[]> {
  return db.getAll('modelParts', rangeOf(modelId));
}

/** The planes of a part, checked against its hash. */
export async function readPart(
  db: Storage,
  model: { id: string; name: string },
  part: StoredPart,
): Promise<ArrayBuffer> {
  const buffer = await getChunk(db, [model.id, part.index]);
  const what = `Part ${part.index + 1} of the stored model ${model.name}`;
  if (!buffer) throw new StorageDamaged(`${what} is missing. Delete the model and add it again.`);
  if (buffer.byteLength !== part.bytes || (await sha256(buffer)) !== part.sha256)
    throw new StorageDamaged(
      `${what} is damaged: its ${buffer.byteLength} bytes do not match the hash of the ${part.bytes} saved. ` +
        'Delete the model and add it again.',
    );
  return buffer;
}

/** The parts that are whole, from the first on; what comes after a lost or torn one is deleted. */
export async function soundParts(db: Storage, model: { id: string; name: string }): Promise<StoredPart[]> {
  const parts = await listParts(db, model.id);
  let sound = 0;
  while (sound < parts.length && parts[sound]?.index === sound && (await isSound(db, model, parts[sound])))
    sound++;
  if (sound < parts.length) await deleteParts(db, model.id, sound);
  return parts.slice(0, sound);
}

async function isSound(
  db: Storage,
  model: { id: string; name: string },
  part?: StoredPart,
): Promise<boolean> {
  try {
    return part !== undefined && (await readPart(db, model, part)).byteLength === part.bytes;
  } catch (error) {
    if (error instanceof StorageDamaged) return false;
    throw error;
  }
}

/** Deletes parts `from` to the last, by their own keys: chunks of a model of version 1 may lie beside them. */
export async function deleteParts(db: Storage, modelId: string, from = 0): Promise<void> {
  const request = { what: 'deleting parts of a model', needed: 0 };
  await write(db, ['modelParts', 'modelChunks'], request, async (transaction) => {
    const parts = transaction.objectStore('modelParts');
    for (const key of await parts.getAllKeys(rangeOf(modelId, from))) {
      await parts.delete(key);
      await transaction.objectStore('modelChunks').delete(key);
    }
  });
}

export function rangeOf(modelId: string, from = 0): IDBKeyRange {
  return IDBKeyRange.bound([modelId, from], [modelId, Infinity, Infinity]);
}

/** The planes of each piece of a part, as views. */
export function* piecesOfPart(
  tensors: readonly KeptTensor[],
  part: StoredPart,
  buffer: ArrayBuffer,
): Generator<Piece> {
  let at = 0;
  for (const { tensor: index, row, rows } of part.pieces) {
    const tensor = tensors[index];
    if (!tensor)
      throw new StorageDamaged(`Part ${part.index + 1} names tensor ${index}; there are ${tensors.length}.`);
    const planes: Planes = planeWords(tensor.format, rows * widthOf(tensor)).map((words) => {
      const plane = new Uint32Array(buffer, 4 * at, words);
      at += words;
      return plane;
    });
    yield { tensor: tensor.name, row, rows, format: tensor.format, planes };
  }
}

/** Numbers of a row; a vector is one row. */
export function widthOf({ shape: [first = 0, second] }: { shape: number[] }): number {
  return second ?? first;
}

export function rowsOf({ shape: [first = 0, second] }: { shape: number[] }): number {
  return second === undefined ? 1 : first;
}

export function bytesOf({ format, shape }: { format: WeightFormat; shape: number[] }): Bytes {
  const count = rowsOf({ shape }) * widthOf({ shape });
  return 4 * planeWords(format, count).reduce((sum, words) => sum + words, 0);
}
