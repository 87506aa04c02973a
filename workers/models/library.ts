/** The models at hand: those that come with the page and those kept in this browser; one of them open on the device. */
import { openFormat } from '../../src/chat/format';
import type { Piece } from '../../src/checkpoint/pieces';
import { sourceOf, sourceOfValues } from '../../src/checkpoint/source';
import { readConfig } from '../../src/model/config';
import { titleOf } from '../../src/model/families';
import { parameterCount } from '../../src/model/shapes';
import { checkShapes, loadWeights } from '../../src/model/loadWeights';
import { disposeWeights } from '../../src/model/weights';
import type { Slot } from '../../src/adapter/trainable';
import type { ModelSummary } from '../../src/protocol/models';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import type { Storage } from '../../src/storage/database';
import { keepPieces } from '../../src/storage/keepModel';
import { findModel, listModels, modelHash, modelSource } from '../../src/storage/models';
import { deleteRawModel, listRawModels, rawCheckpoint } from '../../src/storage/rawModels';
import { removedIds } from '../../src/storage/removals';
import { LAYOUT, type ModelHead, type StoredModel } from '../../src/storage/schema';
import { BadRequest } from '../failures';
import { whileTakingIn } from '../threads/locks';
import type { ModelFiles, OpenModel } from './modelFiles';
import { headOfRaw, summaryOf } from './modelSummary';
import type { PageModels } from './pageModels';
import { keptTensors } from './repositoryModel';

export class Library {
  #db: Storage;
  #page: PageModels;
  #files = new Map<string, Promise<ModelFiles>>();
  /** Models on the device; those in use stay, of the others only the last. */
  #open = new Map<string, { model: Promise<OpenModel>; users: number }>();

  constructor(db: Storage, page: PageModels) {
    this.#db = db;
    this.#page = page;
  }

  async list(): Promise<ModelSummary[]> {
    const embedded = await this.#page.list();
    const kept = (await listModels(this.#db)).map(summaryOf);
    const hidden = await removedIds(this.#db, 'model');
    const raw = (await listRawModels(this.#db)).map((model) => summaryOf(headOfRaw(model)));
    return [...embedded, ...[...kept, ...raw].filter(({ id }) => !hidden.has(id))];
  }

  files(id: string): Promise<ModelFiles> {
    let files = this.#files.get(id);
    if (!files) {
      files = this.#read(id);
      files.catch(() => this.#files.delete(id));
      this.#files.set(id, files);
    }
    return files;
  }

  /** Runs `work` with the model's weights on the device. A model that nobody uses makes room for the next. */
  async use<T>(
    id: string,
    wish: WeightFormat,
    work: (model: OpenModel) => Promise<T>,
    progress: (done: number, total: number) => void = () => undefined,
  ): Promise<T> {
    const format = await this.formatOf(id, wish);
    const key = `${id} ${format}`;
    const slot = this.#open.get(key) ?? { model: this.#load(id, format, progress), users: 0 };
    this.#open.set(key, slot);
    slot.users++;
    try {
      await this.#makeRoom(key);
      return await work(await slot.model);
    } catch (error) {
      // weights that could not be loaded must not be found again
      const loaded = await slot.model.then(
        () => true,
        () => false,
      );
      if (!loaded && this.#open.get(key) === slot) this.#open.delete(key);
      throw error;
    } finally {
      slot.users--;
    }
  }

  /** Forgets what was on a device that is gone. */
  deviceGone(): void {
    this.#open.clear();
  }

  async #makeRoom(forKey: string): Promise<void> {
    for (const [key, slot] of [...this.#open]) {
      if (key === forKey || slot.users > 0) continue;
      this.#open.delete(key);
      disposeWeights((await slot.model).weights);
    }
  }

  /** Keeps a fully trained model beside the one it came from. Returns its id. */
  async keepTrained(
    from: string,
    name: string,
    slots: readonly Slot[],
    parameters: Float32Array,
  ): Promise<string> {
    const { config, assets, rawConfig } = await this.files(from);
    const shapes = new Map(slots.map((slot) => [slot.name, slot.shape]));
    const places = new Map(slots.map((slot) => [slot.name, slot]));
    const trained = sourceOfValues(shapes, async (tensor) => {
      const { offset = 0, count = 0 } = places.get(tensor) ?? {};
      return parameters.slice(offset, offset + count);
    });
    const head: ModelHead = {
      id: `kept-${crypto.randomUUID().slice(0, 12)}`,
      name,
      origin: null,
      family: titleOf(config.family),
      config: rawConfig,
      assets,
      parameters: parameterCount(config),
      weightFormat: 'f32',
      layout: LAYOUT,
      created: Date.now(),
      files: [],
      tensors: keptTensors(config, 'f32'),
    };
    await keepPieces(
      this.#db,
      head,
      trained.pieces(() => 'f32'),
    );
    return head.id;
  }

  /** Forgets what was read of a model whose record has changed or gone. */
  changed(id: string): void {
    this.#files.delete(id);
  }

  /** The form a model's weights take when `wish` is asked for: what was packed into fewer bits stays so. */
  async formatOf(id: string, wish: WeightFormat): Promise<WeightFormat> {
    return (await this.files(id)).source.rounded ?? wish;
  }

  async #load(
    id: string,
    weightFormat: WeightFormat,
    progress: (done: number, total: number) => void,
  ): Promise<OpenModel> {
    const files = await this.files(id);
    const weights = await loadWeights(files.config, files.source, weightFormat, progress);
    return { ...files, weights, format: openFormat(files.assets) };
  }

  async #read(id: string): Promise<ModelFiles> {
    const embedded = await this.#page.read(id);
    if (embedded) return embedded;
    const record = (await findModel(this.#db, id)) ?? (await this.#fromVersion1(id));
    return {
      summary: summaryOf(record),
      config: readConfig(record.config),
      rawConfig: record.config,
      assets: record.assets,
      source: await modelSource(this.#db, record),
      weightFiles: record.files,
      hash: () => modelHash(this.#db, record),
    };
  }

  /** A model that version 1 kept as it came becomes planes the first time it is wanted. */
  async #fromVersion1(id: string): Promise<StoredModel> {
    const raw = (await listRawModels(this.#db)).find((model) => model.id === id);
    if (!raw) throw new BadRequest(`There is no model ${id} in this browser.`);
    const head = headOfRaw(raw);
    const formats = new Map(head.tensors.map(({ name, format }) => [name, format]));
    const source = sourceOf(rawCheckpoint(this.#db, raw));
    checkShapes(readConfig(raw.config), source);
    const wanted = only(
      source.pieces((name) => formats.get(name) ?? 'f32'),
      formats,
    );
    const model = await whileTakingIn(() => keepPieces(this.#db, head, wanted));
    await deleteRawModel(this.#db, raw);
    return model;
  }
}

async function* only(
  pieces: AsyncIterable<Piece>,
  names: ReadonlyMap<string, unknown>,
): AsyncGenerator<Piece> {
  for await (const piece of pieces) if (names.has(piece.tensor)) yield piece;
}
