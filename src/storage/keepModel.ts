/**
 * Keeps a checkpoint as it streams in: every byte is hashed, weights become planes, planes become parts on the disk. Goes on
 * after the last part that is whole. Holds two parts and a few rows, whatever the size of the model.
 */
import { byteWork, type ByteWork } from '../checkpoint/byteWork';
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { FileBytes } from '../checkpoint/fileBytes';
import { passFile, type Piece } from '../checkpoint/pieces';
import { noLosses } from '../checkpoint/planesOf';
import { FormatError } from '../checkpoint/safetensors';
import type { Bytes } from '../units';
import type { Storage } from './database';
import { bytesOf, deleteParts, PART_BYTES, PartWriter, soundParts } from './modelParts';
import { beginDownload, endDownload } from './models';
import type { ModelHead, StoredModel } from './schema';

/** The bytes of a file are not those that the hub has a hash of. They were deleted. */
export class WrongHash extends FormatError {
  override name = 'WrongHash';
}

export interface Keeping {
  /** Called with all bytes of the source that are through, and the file at work. */
  report: (done: Bytes, file: string) => void;
  /** Rejects when the person wants it to end. Asked between pieces. */
  check: () => void;
  /** Where bytes are hashed and converted; here, unless it is told. */
  work?: ByteWork;
  partBytes?: Bytes;
}

/** `head.files` names the weight files of `checkpoint` in the order in which they are read. */
export async function keepModel(
  db: Storage,
  head: ModelHead,
  checkpoint: Pick<Checkpoint, 'tensors'>,
  { report, check, work = byteWork(), partBytes = PART_BYTES }: Keeping,
): Promise<StoredModel> {
  const formats = new Map(head.tensors.map(({ name, format }) => [name, format]));
  const tensors = [...checkpoint.tensors.values()].filter(({ name }) => formats.has(name));
  const files = head.files.map(({ name }) => fileOf(checkpoint, name));
  const sound = await soundParts(db, head);
  await beginDownload(db, head);
  const last = sound.at(-1);
  const writer = new PartWriter(db, head, sound, partBytes);
  try {
    await readAll();
  } finally {
    // what is on its way is written before anyone goes on or deletes
    await writer.flush().catch(() => undefined);
  }
  const { parts, stored: bytes, losses } = writer;
  const model: StoredModel = { ...head, parts, bytes, losses };
  const needed = head.tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  if (model.bytes !== needed)
    throw new Error(`${head.name}: ${model.bytes} bytes of planes came; its tensors have ${needed}.`);
  await endDownload(db, model);
  return model;

  async function readAll(): Promise<void> {
    let before = 0;
    for (const [index, file] of files.entries()) {
      const done = before;
      before += file.size;
      if (index < (last?.file ?? 0)) continue;
      const resumed = last?.file === index ? last : null;
      const firstPart = resumed ? sound.findIndex((part) => part.file === index) : writer.parts;
      let state = await work.beginHash(resumed?.hash ?? null);
      const place = (end: Bytes) => ({ file: index, end, hash: state });
      const wish = (name: string) => formats.get(name) ?? 'f32';
      report(done + (resumed?.end ?? 0), file.name);
      for await (const { piece, losses, end, hash } of passFile(
        file,
        tensors,
        wish,
        resumed?.end ?? 0,
        work,
      )) {
        check();
        state = hash ?? state;
        if (piece) writer.add(piece, losses ?? noLosses());
        if (writer.full) await writer.close(place(end));
        report(done + end, file.name);
      }
      await writer.close(place(file.size));
      await writer.flush();
      const expected = head.files[index]?.sha256 ?? null;
      const found = await work.endHash();
      if (expected === null || found === expected) continue;
      await deleteParts(db, head.id, firstPart);
      throw new WrongHash(
        `${file.name} does not have the hash that the hub gives for it (${found.slice(0, 12)}… instead of ${expected.slice(0, 12)}…). ` +
          'What was kept of it has been deleted; load it again.',
      );
    }
  }
}

function fileOf({ tensors }: Pick<Checkpoint, 'tensors'>, name: string): FileBytes {
  for (const { at } of tensors.values()) if (at.file.name === name) return at.file;
  throw new FormatError(`${name} holds no tensor of the model.`);
}

/** The weight files that tensors of a model lie in, in the order of their names. */
export function filesIn({ tensors }: Pick<Checkpoint, 'tensors'>): FileBytes[] {
  const files = new Set([...tensors.values()].map(({ at }) => at.file));
  return [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Keeps a model that is not read from files that could be taken up again: one that was trained, or kept in an older way. */
export async function keepPieces(
  db: Storage,
  head: ModelHead,
  pieces: AsyncIterable<Piece>,
  partBytes = PART_BYTES,
): Promise<StoredModel> {
  await deleteParts(db, head.id);
  try {
    const writer = new PartWriter(db, head, [], partBytes);
    const nowhere = { file: 0, end: 0, hash: new Uint8Array(0) };
    for await (const piece of pieces) {
      writer.add(piece);
      if (writer.full) await writer.close(nowhere);
    }
    await writer.close(nowhere);
    await writer.flush();
    const model: StoredModel = { ...head, parts: writer.parts, bytes: writer.stored };
    await endDownload(db, model);
    return model;
  } catch (error) {
    await deleteParts(db, head.id);
    throw error;
  }
}
