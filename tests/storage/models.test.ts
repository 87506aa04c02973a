/** Models as planes on the disk: read back, damaged, made by version 1, carried as a file, deleted and wanted back. */
import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sourceOfValues } from '../../src/checkpoint/source';
import { readConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';
import { readArchive, writeArchive } from '../../src/storage/archive';
import { openStorage, sha256, type Storage } from '../../src/storage/database';
import { keepPieces } from '../../src/storage/keepModel';
import { deleteModel, deleteOrphans, listModels, modelSource } from '../../src/storage/models';
import { LAYOUT, type ModelHead, type StoredModel } from '../../src/storage/schema';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import { Keeping } from '../../workers/models/keeping';
import { Library } from '../../workers/models/library';
import { keptTensors } from '../../workers/models/repositoryModel';
import { synthetic } from '../hub/configs';
import { emptyPage } from '../workers/models/tinyPage';

const { config } = synthetic('tiny/Tiny-Qwen');
const shapes = weightShapes(readConfig(config));
/** Numbers that f16 holds exactly. */
const values = sourceOfValues(shapes, async (name) => {
  const count = (shapes.get(name) ?? []).reduce((product, side) => product * side, 1);
  return Float32Array.from({ length: count }, (_, i) => ((i * 7 + name.length) % 31) / 32 - 0.5);
});
const assets = { tokenizer: {}, tokenizerConfig: {}, chatTemplate: null, stopIds: [2], vocabSize: 4096 };

function head(id: string, weightFormat: WeightFormat): ModelHead {
  const tensors = keptTensors(readConfig(config), weightFormat);
  return {
    ...{
      id,
      name: `Model ${id}`,
      origin: null,
      family: 'Qwen2',
      config,
      assets,
      parameters: 1,
      weightFormat,
    },
    ...{ layout: LAYOUT, created: 1, files: [], tensors },
  };
}

/** Number by number, quicker than a matcher over half a million. */
const equal = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => value === b[i]);

let db: Storage;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`models-${++databases}`);
});
afterEach(() => db.close());

function keep(id: string, format: WeightFormat, partBytes = 300_000): Promise<StoredModel> {
  const own = head(id, format);
  const formats = new Map(own.tensors.map((tensor) => [tensor.name, tensor.format]));
  return keepPieces(
    db,
    own,
    values.pieces((name) => formats.get(name) ?? 'f32'),
    partBytes,
  );
}

const EMBEDDING = 'model.embed_tokens.weight';
const DOWN = 'model.layers.3.mlp.down_proj.weight';

describe('planes', () => {
  it.each(['f32', 'f16'] as const)('%s gives back every number', async (format) => {
    const source = await modelSource(db, await keep('kept-1', format));
    for (const name of [EMBEDDING, DOWN, 'model.norm.weight'])
      expect(equal(await source.read(name), await values.read(name))).toBe(true);
    expect(source.rounded).toBeNull();
  });

  it('wider ones take the form asked for, packed ones stay', async () => {
    const formats = async (model: StoredModel, wish: WeightFormat) => {
      const source = await modelSource(db, model);
      const found = new Map<string, WeightFormat>();
      for await (const { tensor, format } of source.pieces(() => wish)) found.set(tensor, format);
      return [found.get(DOWN), found.get('model.norm.weight')];
    };
    expect(await formats(await keep('kept-1', 'f16'), 'q8')).toEqual(['q8', 'f32']);
    const packed = await keep('kept-2', 'q4');
    expect(await formats(packed, 'f16')).toEqual(['q4', 'f32']);
    expect((await modelSource(db, packed)).rounded).toBe('q4');
  });

  it('names the lost and the torn part', async () => {
    const model = await keep('kept-1', 'f16');
    await db.delete('modelChunks', ['kept-1', 2]);
    const drain = async () => {
      for await (const piece of (await modelSource(db, model)).pieces(() => 'f16')) void piece;
    };
    await expect(drain()).rejects.toThrow(/Part 3 of the stored model Model kept-1 is missing/);
    await db.put('modelChunks', new ArrayBuffer(8), ['kept-1', 2]);
    await expect(drain()).rejects.toThrow(/Part 3 .* is damaged: its 8 bytes/);
    await db.delete('modelParts', ['kept-1', 2]);
    await expect(drain()).rejects.toThrow(/parts\. Delete it and add it again/);
  });

  it('of one model go, those of another stay', async () => {
    await keep('kept-1', 'f16');
    const other = await keep('kept-2', 'f16');
    await deleteModel(db, 'kept-1');
    expect((await listModels(db)).map(({ id }) => id)).toEqual(['kept-2']);
    expect(await db.count('modelChunks')).toBe(other.parts);
  });

  it('that never became a model are tidied away', async () => {
    const model = await keep('kept-1', 'f16');
    const part = await db.get('modelParts', ['kept-1', 0]);
    if (!part) throw new Error('no part');
    await db.put('modelParts', { ...part, modelId: 'kept-9' });
    await db.put('modelChunks', new ArrayBuffer(4), ['kept-9', 0]);
    await deleteOrphans(db);
    expect(await db.count('modelChunks')).toBe(model.parts);
  });
});

describe('a database of version 1', () => {
  it('keeps its model, which becomes planes when it is opened', async () => {
    const old = await openDB('version-1', 1, {
      upgrade(made) {
        for (const name of [
          'models',
          'runs',
          'runDetails',
          'runCurves',
          'runData',
          'adapters',
          'adapterFiles',
          'datasets',
        ])
          made.createObjectStore(name, { keyPath: 'id' });
        made.createObjectStore('modelChunks');
        const checkpoints = made.createObjectStore('checkpoints', { keyPath: ['runId', 'slot'] });
        checkpoints.createIndex('bySequence', ['runId', 'sequence']);
      },
    });
    const tensors = [];
    for (const [index, [name, shape]] of [...shapes].entries()) {
      const bytes = (await values.read(name)).buffer;
      // two chunks, cut where no row ends
      const cuts = [bytes.slice(0, 100), bytes.slice(100)];
      const chunks = await Promise.all(
        cuts.map(async (cut) => ({ bytes: cut.byteLength, sha256: await sha256(cut) })),
      );
      for (const [part, cut] of cuts.entries()) await old.put('modelChunks', cut, ['kept-old', index, part]);
      tensors.push({ name, dtype: 'F32', shape, chunks });
    }
    const { parameters, created, family } = head('kept-old', 'f32');
    await old.put('models', {
      ...{
        id: 'kept-old',
        name: 'Old',
        revision: null,
        family,
        config,
        assets,
        parameters,
        created,
        bytes: 1,
        tensors,
      },
    });
    await old.put('adapters', { id: 'a', name: 'Adapter' });
    await old.put('runs', { id: 'r', name: 'Run' });
    old.close();

    db.close();
    db = await openStorage('version-1');
    expect((await db.getAll('adapters')).length + (await db.getAll('runs')).length).toBe(2);
    const library = new Library(db, emptyPage());
    expect((await library.list()).map(({ id, name }) => [id, name])).toEqual([['kept-old', 'Old']]);
    const { source } = await library.files('kept-old');
    for (const name of [EMBEDDING, DOWN])
      expect(equal(await source.read(name), await values.read(name))).toBe(true);
    expect(await db.count('rawModels')).toBe(0);
    const keys = await db.getAllKeys('modelChunks');
    expect(keys.every((key) => key.length === 2)).toBe(true);
  });
});

describe('models as a file', () => {
  const nothing = () => undefined;

  it('are the same on another machine', async () => {
    const models = [await keep('kept-aaaaaa', 'q4'), await keep('kept-bbbbbb', 'f16')];
    const file = await writeArchive(db, ['kept-aaaaaa', 'kept-bbbbbb']);
    db.close();
    db = await openStorage(`models-${++databases}`);
    const read = await readArchive(db, file, nothing, nothing);
    expect(read).toEqual(models);
    const source = await modelSource(db, models[1] ?? read[0] ?? models[0] ?? (await keep('kept-1', 'f16')));
    expect(await source.read(DOWN)).toEqual(await values.read(DOWN));
  });

  it.each([
    ['a byte of the index', 70, /index of the file is damaged/],
    ['a byte of a part', -5, /Part \d+ of Model kept-aaaaaa is damaged in the file/],
    ['the first byte', 0, /does not begin like one/],
  ])('with %s changed are refused, and nothing is kept', async (_, at, words) => {
    await keep('kept-aaaaaa', 'q4');
    const bytes = new Uint8Array(await (await writeArchive(db, ['kept-aaaaaa'])).arrayBuffer());
    const place = (at + bytes.length) % bytes.length;
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    db.close();
    db = await openStorage(`models-${++databases}`);
    await expect(readArchive(db, new Blob([bytes]), nothing, nothing)).rejects.toThrow(words);
    expect([await db.count('models'), await db.count('modelParts')]).toEqual([0, 0]);
  });

  it('are refused before anything is kept where a tokenizer or a template does not run', async () => {
    await keep('kept-aaaaaa', 'q4');
    const file = await writeArchive(db, ['kept-aaaaaa']);
    db.close();
    db = await openStorage(`models-${++databases}`);
    const tried: unknown[] = [];
    const keeping = new Keeping(
      db,
      () => undefined,
      async () => undefined,
      async (files, config) => {
        tried.push([...files.keys()], config);
        throw new Error('The tokenizer’s pattern takes too long.');
      },
    );
    await expect(keeping.importModels(file, nothing)).rejects.toThrow(/pattern takes too long/);
    expect(tried[0]).toEqual(['tokenizer.json', 'tokenizer_config.json']);
    expect([await db.count('models'), await db.count('modelParts')]).toEqual([0, 0]);
  });

  it('cut short are refused', async () => {
    await keep('kept-aaaaaa', 'q4');
    const file = await writeArchive(db, ['kept-aaaaaa']);
    await expect(readArchive(db, file.slice(0, file.size - 1), nothing, nothing)).rejects.toThrow(
      /its index lists/,
    );
  });
});

describe('deleting', () => {
  it('hides at once, can be undone, and is final after its time', async () => {
    const model = await keep('kept-1', 'q4');
    const keeping = new Keeping(
      db,
      () => undefined,
      async () => undefined,
      async () => undefined,
      300,
    );
    const removed = await keeping.remove('model', 'kept-1');
    expect(removed).toMatchObject({ name: 'Model kept-1', bytes: model.bytes });
    expect((await keeping.report()).items).toEqual([]);
    expect((await keeping.report()).removed.map(({ id }) => id)).toEqual(['kept-1']);
    await keeping.undo('model', 'kept-1');
    expect((await keeping.report()).items).toMatchObject([
      { kind: 'model', id: 'kept-1', bytes: model.bytes, note: 'q4' },
    ]);
    await new Promise((done) => setTimeout(done, 400));
    expect(await db.count('models')).toBe(1);
    await keeping.remove('model', 'kept-1');
    await expect.poll(() => db.count('models'), { timeout: 5000 }).toBe(0);
    expect([await db.count('modelChunks'), await db.count('removals')]).toEqual([0, 0]);
    await expect(keeping.undo('model', 'kept-1')).rejects.toThrow(/time to undo is over/);
  });

  it('of an earlier visit is ended by the next', async () => {
    await keep('kept-1', 'q4');
    await db.put('removals', { kind: 'model', id: 'kept-1', goneAt: 5 });
    await new Keeping(
      db,
      () => undefined,
      async () => undefined,
      async () => undefined,
    ).tidy();
    await expect.poll(() => db.count('models'), { timeout: 5000 }).toBe(0);
  });

  it('what comes with the page is refused', async () => {
    const keeping = new Keeping(
      db,
      () => undefined,
      async () => undefined,
      async () => undefined,
    );
    await expect(keeping.remove('model', 'llama')).rejects.toThrow(/come with the page/);
  });
});
