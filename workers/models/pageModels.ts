/** The tiny models that come with the page: a list of them and their files, served beside it. */
import { assetsFrom } from '../../src/chat/assets';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { sourceOf } from '../../src/checkpoint/source';
import { readConfig } from '../../src/model/config';
import type { ModelSummary } from '../../src/protocol/models';
import type { Tokens } from '../../src/units';
import { sha256 } from '../../src/storage/database';
import { BadRequest } from '../failures';
import type { ModelFiles } from './modelFiles';

/** A line of models.json, which scripts/demo-models/make.ts writes. */
interface Listed {
  id: string;
  name: string;
  family: string;
  /** Where its files lie, and their names. */
  folder: string;
  files: string[];
  parameters: number;
  contextLength: Tokens;
}

const WEIGHTS = /\.safetensors$/;

export class PageModels {
  #list: Promise<Listed[]> | null = null;

  /** `demo`: where public/demo is served; `load` reads a file of it. */
  constructor(
    private readonly demo: URL,
    private readonly load: (url: URL) => Promise<ArrayBuffer> = loadBytes,
  ) {}

  async list(): Promise<ModelSummary[]> {
    return (await this.#listed()).map(summaryOf);
  }

  /** Null where no model of the page is called `id`. */
  async read(id: string): Promise<ModelFiles | null> {
    const listed = (await this.#listed()).find((model) => model.id === id);
    if (!listed) return null;
    const files = await Promise.all(
      listed.files.map(async (name) => ({ name, bytes: await this.#fetch(`${listed.folder}/${name}`) })),
    );
    const weights = files.filter(({ name }) => WEIGHTS.test(name));
    const texts = files.filter(({ name }) => !WEIGHTS.test(name));
    const shards = weights.map(({ name, bytes }) => fileInMemory(name, new Uint8Array(bytes)));
    const checkpoint = await openCheckpoint(
      shards,
      new Map(texts.map(({ name, bytes }) => [name, new TextDecoder().decode(bytes)])),
    );
    const bytes = shards.reduce((sum, shard) => sum + shard.size, 0);
    return {
      summary: { ...summaryOf(listed), bytes },
      config: readConfig(checkpoint.config),
      rawConfig: checkpoint.config,
      assets: assetsFrom(checkpoint.texts, checkpoint.config),
      source: sourceOf(checkpoint),
      weightFiles: [],
      hash: async () => {
        const hashes = await Promise.all(weights.map((file) => sha256(file.bytes)));
        return sha256(new TextEncoder().encode(JSON.stringify([checkpoint.config, hashes])));
      },
    };
  }

  #listed(): Promise<Listed[]> {
    return (this.#list ??= this.#fetch('models/models.json').then(
      (bytes) => parse(new TextDecoder().decode(bytes), 'models.json') as Listed[],
    ));
  }

  #fetch(path: string): Promise<ArrayBuffer> {
    return this.load(new URL(path, this.demo));
  }
}

async function loadBytes(url: URL): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new BadRequest(`${url.pathname} could not be loaded (status ${response.status}).`);
  return response.arrayBuffer();
}

/** Their weights are halves. */
function summaryOf({ id, name, family, parameters, contextLength }: Listed): ModelSummary {
  return {
    ...{ id, name, family, parameters, contextLength },
    bytes: 2 * parameters,
    source: 'embedded',
    weightFormat: null,
    origin: null,
  };
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadRequest(`${name} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
