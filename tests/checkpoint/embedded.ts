/** The small trained model that comes with the page, as what the tests' converters take. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { assetsFrom } from '../../src/chat/assets';
import type { WeightSource } from '../../src/checkpoint/source';
import { ggufTokenizer } from '../../src/exchange/ggufTokenizer';
import type { Json, TokenizerKeys } from './convert';
import { openFolder } from './folder';
import { sourceOf } from '../../src/checkpoint/source';

export const EMBEDDED = resolve('public/demo/models/llama');
/** Small files beside the weights. */
export const EMBEDDED_TEXTS = ['generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];

export interface EmbeddedModel {
  /** config.json */
  json: Json;
  source: WeightSource;
  /** Its tokenizer and chat template as keys of a GGUF file. */
  tokenizer: TokenizerKeys;
}

export async function embeddedModel(): Promise<EmbeddedModel> {
  const checkpoint = await openFolder(EMBEDDED);
  const json = JSON.parse(readFileSync(resolve(EMBEDDED, 'config.json'), 'utf8')) as Json;
  const assets = assetsFrom(checkpoint.texts, json);
  return {
    json,
    source: sourceOf(checkpoint),
    tokenizer: { pairs: ggufTokenizer(assets), lists: new Map() },
  };
}
