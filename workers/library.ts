/** The models at hand: those that come with the page and those kept in this browser; one of them open on the device. */
import { assetsFrom } from '../src/chat/assets';
import { openFormat, type ChatFormat } from '../src/chat/format';
import type { Checkpoint, Encoding } from '../src/checkpoint/checkpoint';
import { fileInMemory, type FileBytes } from '../src/checkpoint/fileBytes';
import { openCheckpoint } from '../src/checkpoint/openCheckpoint';
import { sourceOf, type WeightSource } from '../src/checkpoint/source';
import { readConfig, type ModelConfig } from '../src/model/config';
import { titleOf } from '../src/model/families';
import { parameterCount } from '../src/model/shapes';
import { checkShapes, disposeWeights, loadWeights, type ModelWeights } from '../src/model/weights';
import type { Slot } from '../src/adapter/trainable';
import type { ModelSummary, NamedFile } from '../src/protocol/apis';
import type { ChatAssets } from '../src/protocol/data';
import type { Settings } from '../src/protocol/settings';
import { sha256, type Storage } from '../src/storage/database';
import { deleteModel, listModels, modelSource, saveModel } from '../src/storage/models';
import { BadRequest } from './failures';

/** A model's files, read but not yet on the device. */
export interface ModelFiles {
  summary: ModelSummary;
  config: ModelConfig;
  /** config.json, parsed. */
  rawConfig: unknown;
  assets: ChatAssets;
  source: WeightSource;
}

export interface OpenModel extends ModelFiles {
  weights: ModelWeights;
  format: ChatFormat;
}

interface Embedded {
  id: string;
  name: string;
  family: string;
  folder: string;
  files: string[];
  parameters: number;
}

const WEIGHTS = /\.safetensors$/;

export class Library {
  #db: Storage;
  #demo: URL;
  #embedded: Promise<Embedded[]> | null = null;
  #files = new Map<string, Promise<ModelFiles>>();
  /** Models on the device; those in use stay, of the others only the last. */
  #open = new Map<string, { model: Promise<OpenModel>; users: number }>();

  /** `demo`: where public/demo is served. */
  constructor(db: Storage, demo: URL) {
    this.#db = db;
    this.#demo = demo;
  }

  async list(): Promise<ModelSummary[]> {
    const embedded = (await this.#embeddedList()).map(summaryOfEmbedded);
    const kept = (await listModels(this.#db)).map((model): ModelSummary => ({
      id: model.id,
      name: model.name,
      family: model.family,
      parameters: model.parameters,
      bytes: model.bytes,
      source: 'kept',
      contextLength: readConfig(model.config).contextLength,
    }));
    return [...embedded, ...kept];
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
    format: Settings['weightFormat'],
    work: (model: OpenModel) => Promise<T>,
    progress: (done: number, total: number) => void = () => undefined,
  ): Promise<T> {
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

  /** Adds a model from files in Hugging Face layout. */
  async add(files: NamedFile[]): Promise<ModelSummary> {
    const byName = new Map(files.map((file) => [baseName(file.name), file]));
    const texts = textsOf(files);
    const checkpoint = await openCheckpoint(filesOf([...byName.values()]), texts);
    const config = readConfig(checkpoint.config);
    checkShapes(config, sourceOf(checkpoint));
    const assets = assetsFrom(checkpoint.texts, checkpoint.config);
    const tensors = [...checkpoint.tensors.values()];
    const bytes = tensors.reduce((sum, { at }) => sum + at.end - at.begin, 0);
    const folder = files
      .find((file) => baseName(file.name) === 'config.json')
      ?.name.split('/')
      .at(-2);
    const id = `kept-${(await sha256(new TextEncoder().encode(`${JSON.stringify(checkpoint.config)}${bytes}`))).slice(0, 12)}`;
    const stored = await saveModel(
      this.#db,
      {
        id,
        name: folder ?? titleOf(config.family),
        revision: null,
        family: titleOf(config.family),
        config: checkpoint.config,
        assets,
        parameters: parameterCount(config),
        bytes,
        created: Date.now(),
        tensors: tensors.map(({ name, encoding, shape }) => ({ name, dtype: keptAs(encoding), shape })),
      },
      tensorsOf(checkpoint),
    );
    const { name, family, parameters } = stored;
    return { id, name, family, parameters, bytes, source: 'kept', contextLength: config.contextLength };
  }

  /** Keeps a fully trained model beside the one it came from. Returns its id. */
  async keepTrained(from: string, name: string, slots: Slot[], parameters: Float32Array): Promise<string> {
    const { config, assets, rawConfig } = await this.files(from);
    const id = `kept-${crypto.randomUUID().slice(0, 12)}`;
    const bytesOf = (slot: Slot) =>
      new Uint8Array(parameters.slice(slot.offset, slot.offset + slot.count).buffer);
    await saveModel(
      this.#db,
      {
        id,
        name,
        revision: null,
        family: titleOf(config.family),
        config: rawConfig,
        assets,
        parameters: parameterCount(config),
        bytes: 4 * parameterCount(config),
        created: Date.now(),
        tensors: slots.map(({ name: tensor, shape }) => ({ name: tensor, dtype: 'F32', shape })),
      },
      (async function* () {
        for (const slot of slots) yield { name: slot.name, bytes: bytesOf(slot) };
      })(),
    );
    return id;
  }

  async remove(id: string): Promise<void> {
    if (!id.startsWith('kept-'))
      throw new BadRequest('The models that come with the page cannot be removed.');
    this.#files.delete(id);
    await deleteModel(this.#db, id);
  }

  async #load(
    id: string,
    weightFormat: Settings['weightFormat'],
    progress: (done: number, total: number) => void,
  ): Promise<OpenModel> {
    const files = await this.files(id);
    const weights = await loadWeights(files.config, files.source, weightFormat, progress);
    return { ...files, weights, format: openFormat(files.assets) };
  }

  async #read(id: string): Promise<ModelFiles> {
    const embedded = (await this.#embeddedList()).find((model) => model.id === id);
    if (!embedded) {
      const { record, source } = await modelSource(this.#db, id);
      const summary = (await this.list()).find((model) => model.id === id);
      if (!summary) throw new BadRequest(`There is no model ${id} in this browser.`);
      return {
        summary,
        config: readConfig(record.config),
        rawConfig: record.config,
        assets: record.assets,
        source,
      };
    }
    const files = await Promise.all(
      embedded.files.map(async (name) => ({ name, bytes: await this.#fetch(`${embedded.folder}/${name}`) })),
    );
    const texts = textsOf(files);
    const shards = filesOf(files);
    const checkpoint = await openCheckpoint(shards, texts);
    const bytes = shards.reduce((sum, shard) => sum + shard.size, 0);
    return {
      summary: { ...summaryOfEmbedded(embedded), bytes },
      config: readConfig(checkpoint.config),
      rawConfig: checkpoint.config,
      assets: assetsFrom(checkpoint.texts, checkpoint.config),
      source: sourceOf(checkpoint),
    };
  }

  #embeddedList(): Promise<Embedded[]> {
    return (this.#embedded ??= this.#fetch('models/models.json').then(
      (bytes) => parse(new TextDecoder().decode(bytes), 'models.json') as Embedded[],
    ));
  }

  async #fetch(path: string): Promise<ArrayBuffer> {
    const url = new URL(path, this.#demo);
    const response = await fetch(url);
    if (!response.ok)
      throw new BadRequest(`${url.pathname} could not be loaded (status ${response.status}).`);
    return response.arrayBuffer();
  }
}

function summaryOfEmbedded({ id, name, family, parameters }: Embedded): ModelSummary {
  return { id, name, family, parameters, bytes: 2 * parameters, source: 'embedded', contextLength: 512 };
}

function textsOf(files: NamedFile[]): Map<string, string> {
  const small = files.filter(({ name }) => /\.(json|jinja|txt)$/.test(name));
  return new Map(small.map(({ name, bytes }) => [baseName(name), new TextDecoder().decode(bytes)]));
}

function filesOf(files: NamedFile[]): FileBytes[] {
  return files
    .filter(({ name }) => WEIGHTS.test(name))
    .map(({ name, bytes }) => fileInMemory(baseName(name), new Uint8Array(bytes)));
}

/** Plain numbers are kept as they came; other encodings as f32. */
function keptAs(encoding: Encoding): 'F32' | 'F16' | 'BF16' {
  return encoding === 'F16' || encoding === 'BF16' ? encoding : 'F32';
}

async function* tensorsOf(checkpoint: Checkpoint): AsyncGenerator<{ name: string; bytes: Uint8Array }> {
  const source = sourceOf(checkpoint);
  for (const { name, encoding, at } of checkpoint.tensors.values()) {
    const plain = encoding === keptAs(encoding);
    const bytes = plain
      ? await at.file.read(at.begin, at.end)
      : new Uint8Array((await source.read(name)).buffer);
    yield { name, bytes };
  }
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadRequest(`${name} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function baseName(path: string): string {
  return path.split('/').at(-1) ?? path;
}
