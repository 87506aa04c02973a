/** The chat assets of the tiny fixture models and of the shared oracles, for tests. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { assetsFrom } from '../../src/chat/assets';
import { openFormat, type ChatFormat } from '../../src/chat/format';
import type { ChatAssets } from '../../src/protocol/data';

const MODELS = new URL('../fixtures/models/', import.meta.url);
export const SHARED = new URL('../../../shared/', import.meta.url);
export const sharedAbsent = !existsSync(new URL('oracle/', SHARED));

const NAMES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/** A model folder as the app would read it. */
export function assetsIn(folder: URL): ChatAssets {
  const files = new Map<string, string>();
  for (const name of NAMES) {
    const file = new URL(name, folder);
    if (existsSync(file)) files.set(name, readFileSync(file, 'utf8'));
  }
  return assetsFrom(files, JSON.parse(readFileSync(new URL('config.json', folder), 'utf8')));
}

export function fixtureAssets(model: string): ChatAssets {
  return assetsIn(new URL(`${model}/`, MODELS));
}

export function fixtureFormat(model: string): ChatFormat {
  return openFormat(fixtureAssets(model));
}

/** A fixture's tokenizer with another template. */
export function withTemplate(model: string, chatTemplate: string | null): ChatFormat {
  return openFormat({ ...fixtureAssets(model), chatTemplate });
}

/** One of the two real tokenizers of the oracles. */
export function realTokenizer(name: string): unknown {
  const file = new URL(`oracle/tokenizers/${name}.tokenizer.json.gz`, SHARED);
  return JSON.parse(gunzipSync(readFileSync(file)).toString('utf8'));
}

export function readShared(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, SHARED), 'utf8'));
}
