/**
 * Models as one file, to carry to other machines, and back: what is stored, byte for byte, with its hashes.
 *
 * Layout: "LORATORY MODELS\n" · u32 little-endian layout · u64 length of the index · sha256 of the index (32 bytes) · index (JSON) ·
 * the parts of all models, one after the other. The index lists models with their parts; hashes of parts are in it.
 */
import * as v from 'valibot';
import { FormatError } from '../checkpoint/safetensors';
import { WEIGHT_FORMATS } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import { sha256, type Storage } from './database';
import { deleteParts, listParts, putPart, readPart } from './modelParts';
import { endDownload, findModel } from './models';
import { LAYOUT, type StoredModel, type StoredPart } from './schema';

const MAGIC = new TextEncoder().encode('LORATORY MODELS\n');
const PREFIX = MAGIC.length + 4 + 8 + 32;
const LARGEST_INDEX: Bytes = 256 * 2 ** 20;

interface Entry {
  model: StoredModel;
  parts: Omit<StoredPart, 'modelId' | 'hash'>[];
}

/** The browser keeps the pieces of a Blob outside the page's memory. */
export async function writeArchive(db: Storage, ids: readonly string[]): Promise<Blob> {
  const pieces: Blob[] = [];
  const entries: Entry[] = [];
  for (const id of ids) {
    const model = await findModel(db, id);
    if (!model) throw new FormatError(`There is no model ${id} in this browser.`);
    const parts = await listParts(db, id);
    for (const part of parts) pieces.push(new Blob([await readPart(db, model, part)]));
    entries.push({
      model,
      parts: parts.map(({ index, bytes, sha256: hash, pieces: rows, file, end }) => {
        return { index, bytes, sha256: hash, pieces: rows, file, end };
      }),
    });
  }
  const index = new TextEncoder().encode(JSON.stringify(entries));
  const prefix = new Uint8Array(PREFIX);
  prefix.set(MAGIC);
  const view = new DataView(prefix.buffer);
  view.setUint32(MAGIC.length, LAYOUT, true);
  view.setBigUint64(MAGIC.length + 4, BigInt(index.length), true);
  prefix.set(bytesOfHex(await sha256(index)), MAGIC.length + 12);
  return new Blob([prefix, index, ...pieces]);
}

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Entries = v.array(
  v.object({
    model: v.looseObject({
      id: v.pipe(v.string(), v.regex(/^kept-[0-9a-f-]{6,40}$/)),
      name: v.pipe(v.string(), v.maxLength(200)),
      family: v.string(),
      config: v.unknown(),
      assets: v.looseObject({ chatTemplate: v.nullable(v.string()) }),
      parameters: size,
      layout: v.literal(LAYOUT),
      weightFormat: v.picklist(WEIGHT_FORMATS),
      parts: size,
      bytes: size,
      losses: v.optional(v.object({ saturated: size, flushed: size, notFinite: size })),
      tensors: v.array(
        v.object({ name: v.string(), shape: v.array(size), format: v.picklist(WEIGHT_FORMATS) }),
      ),
    }),
    parts: v.array(
      v.object({
        index: size,
        bytes: v.pipe(size, v.maxValue(64 * 2 ** 20)),
        sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
        pieces: v.array(v.object({ tensor: size, row: size, rows: size })),
        file: size,
        end: size,
      }),
    ),
  }),
);

/** What the file holds, checked before anything is stored. `check` throws where a model's record makes no sense. */
async function readIndex(file: Blob): Promise<{ entries: Entry[]; dataAt: Bytes }> {
  const prefix = new Uint8Array(await file.slice(0, PREFIX).arrayBuffer());
  if (prefix.length < PREFIX || MAGIC.some((byte, at) => prefix[at] !== byte))
    throw new FormatError('This is not a file of models from Loratory: it does not begin like one.');
  const view = new DataView(prefix.buffer);
  const layout = view.getUint32(MAGIC.length, true);
  if (layout !== LAYOUT)
    throw new FormatError(
      `The file has layout ${layout}; this version reads ${LAYOUT}. Export it again with this version.`,
    );
  const length = view.getBigUint64(MAGIC.length + 4, true);
  if (length > BigInt(Math.min(LARGEST_INDEX, file.size - PREFIX)))
    throw new FormatError(
      `The index claims ${length} bytes; the file has ${file.size - PREFIX} after its start.`,
    );
  const dataAt = PREFIX + Number(length);
  const index = await file.slice(PREFIX, dataAt).arrayBuffer();
  if ((await sha256(index)) !== hexOf(prefix.subarray(MAGIC.length + 12)))
    throw new FormatError(
      'The index of the file is damaged: it does not match its hash. Copy the file again.',
    );
  const parsed = v.safeParse(Entries, JSON.parse(new TextDecoder().decode(index)));
  if (!parsed.success)
    throw new FormatError(`The index of the file cannot be read: ${parsed.issues[0]?.message ?? 'unknown'}.`);
  const entries = parsed.output as unknown[] as Entry[];
  const data = entries.reduce((sum, { parts }) => sum + parts.reduce((all, { bytes }) => all + bytes, 0), 0);
  if (dataAt + data !== file.size)
    throw new FormatError(
      `The file has ${file.size} bytes; its index lists ${dataAt + data}. Copy the file again.`,
    );
  return { entries, dataAt };
}

/** Keeps the models of a file that are not here yet. Each is whole or not there. `check` looks at a record before it is kept. */
export async function readArchive(
  db: Storage,
  file: Blob,
  check: (model: StoredModel) => void | Promise<void>,
  report: (done: Bytes, total: Bytes) => void,
): Promise<StoredModel[]> {
  const { entries, dataAt } = await readIndex(file);
  for (const { model } of entries) await check(model);
  let at = dataAt;
  const models: StoredModel[] = [];
  for (const { model, parts } of entries) {
    const known = await findModel(db, model.id);
    if (!known) await deleteParts(db, model.id);
    for (const part of parts) {
      const bytes = await file.slice(at, at + part.bytes).arrayBuffer();
      at += part.bytes;
      if (known) continue;
      if ((await sha256(bytes)) !== part.sha256) {
        await deleteParts(db, model.id);
        throw new FormatError(
          `Part ${part.index + 1} of ${model.name} is damaged in the file. Copy the file again.`,
        );
      }
      await putPart(db, model.name, { ...part, modelId: model.id, hash: new Uint8Array(0) }, bytes);
      report(at, file.size);
    }
    if (!known) await endDownload(db, model);
    models.push(known ?? model);
  }
  return models;
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
