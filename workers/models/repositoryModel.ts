/** Which files of a repository make a model, and what it says of itself. Fetches small files and headers only. */
import type { Checkpoint } from '../../src/checkpoint/checkpoint';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { fileOnHub } from '../../src/hub/fileOnHub';
import { HubError } from '../../src/hub/hubError';
import { readRepository, readText, type Repository } from '../../src/hub/repository';
import type { HubAccess } from '../../src/hub/request';
import { weightBytesOf } from '../../src/guide/candidate';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { formatOfTensor, parameterCount, weightShapes } from '../../src/model/shapes';
import { suitedFormat } from '../../src/protocol/suitedFormat';
import type { HubFile, ModelFacts } from '../../src/protocol/models';
import { usableFormat, type WeightFormat } from '../../src/protocol/weightFormats';
import type { KeptTensor } from '../../src/storage/schema';

/** Texts that say how a model is built and how it reads and writes. */
export const TEXTS = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
];
const INDEX = 'model.safetensors.index.json';
/** Of several GGUF files of one model, the first of these. */
const GGUF_ORDER = [/q8_0/i, /q4_k_m/i, /f16|bf16/i, /q5_k_m/i, /q6_k/i, /q4_0/i, /./];

export interface RepositoryModel {
  repository: Repository;
  weights: HubFile[];
  texts: Map<string, string>;
}

export async function readRepositoryModel(
  access: HubAccess,
  place: { repository: string; revision: string },
): Promise<RepositoryModel> {
  const repository = await readRepository(access, place.repository, place.revision);
  const names = new Set(repository.files.map(({ name }) => name));
  const texts = new Map<string, string>();
  for (const name of [...TEXTS, INDEX])
    if (names.has(name)) texts.set(name, await readText(access, repository, name));
  return { repository, weights: weightFiles(repository, texts.get(INDEX)), texts };
}

/** Safetensors by their index, or the one file; else a GGUF file. Not what other programs keep beside them. */
function weightFiles({ repository, files }: Repository, index: string | undefined): HubFile[] {
  const top = files.filter(({ name }) => !name.includes('/'));
  if (index !== undefined) {
    const named = top.filter(
      ({ name }) => name.endsWith('.safetensors') && index.includes(JSON.stringify(name)),
    );
    if (named.length > 0) return named;
  }
  const whole = top.filter(({ name }) => name === 'model.safetensors');
  if (whole.length > 0) return whole;
  const others = top.filter(
    ({ name }) => /\.safetensors$/.test(name) && !/^(consolidated|adapter)/.test(name),
  );
  if (others.length > 0) return others;
  const gguf = top.filter(({ name }) => /\.gguf$/i.test(name) && !/mmproj/i.test(name));
  for (const wish of GGUF_ORDER) {
    const found = gguf.find(({ name }) => wish.test(name));
    if (found) return [found];
  }
  throw new HubError(
    'not-found',
    `${repository} holds no weights that can be read: no .safetensors and no .gguf file.`,
  );
}

export function openRepositoryModel(
  access: HubAccess,
  { repository, weights, texts }: RepositoryModel,
): Promise<Checkpoint> {
  return openCheckpoint(
    weights.map((file) => fileOnHub(access, repository, file)),
    texts,
  );
}

export async function factsOf(
  access: HubAccess,
  revision: string,
  model: RepositoryModel,
): Promise<ModelFacts> {
  const { repository, weights, texts } = model;
  // a GGUF file carries its config inside
  const config: unknown = texts.has('config.json')
    ? JSON.parse(texts.get('config.json') ?? '')
    : (await openRepositoryModel(access, model)).config;
  const read = whyNot(config);
  const small = repository.files.filter(({ name }) => texts.has(name));
  const files = [...weights, ...small];
  return {
    repository: repository.repository,
    revision,
    commit: repository.commit,
    config,
    architecture: architectureOf(config),
    unsupported: typeof read === 'string' ? read : null,
    parameters: typeof read === 'string' ? null : parameterCount(read),
    contextLength: typeof read === 'string' ? null : read.contextLength,
    files,
    downloadBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    weightBytes: typeof read === 'string' ? null : weightBytesOf(read),
    suggestedFormat: typeof read === 'string' ? 'q4' : suitedFormat(parameterCount(read)),
    licence: repository.licence,
    gated: repository.gated,
  };
}

function whyNot(config: unknown): ModelConfig | string {
  try {
    return readConfig(config);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function architectureOf(config: unknown): string {
  const list =
    typeof config === 'object' && config !== null && 'architectures' in config ? config.architectures : null;
  return Array.isArray(list) && typeof list[0] === 'string' ? list[0] : 'none named';
}

export function keptTensors(config: ModelConfig, format: WeightFormat): KeptTensor[] {
  return [...weightShapes(config)].map(([name, shape]) => {
    const [n = 0, k] = shape;
    return {
      name,
      shape,
      format: k === undefined ? 'f32' : usableFormat(formatOfTensor(name, format), n, k),
    };
  });
}
