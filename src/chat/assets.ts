/** What a model needs to read and write text, gathered from the files of its repository. */
import { parseJson } from '../dataset/jsonText';
import { DataProblem } from '../dataset/problem';
import { field, isRow, type Row } from '../dataset/record';
import type { ChatAssets } from '../protocol/data';
import { probe } from './probe';
import { openTemplate } from './template';
import { ChatTokenizer } from './tokenizer';

/** The largest known, of 262,144 tokens, have about 35 million. */
export const LARGEST_TOKENIZER = 100_000_000;

/**
 * Runs foreign programs, the tokenizer and the template, which may never end: call it where it can be stopped
 * (workers/threads/readAssets.ts). `files`: names to texts (tokenizer.json, tokenizer_config.json, chat_template.jinja, …). `config`: config.json, parsed.
 */
export function assetsFrom(files: ReadonlyMap<string, string>, config: unknown): ChatAssets {
  const tokenizerText = files.get('tokenizer.json');
  if (tokenizerText === undefined) {
    throw new DataProblem('The model’s tokenizer.json is missing. Add it to the other files of the model.');
  }
  const tokenizer = readTokenizer(tokenizerText);
  const settings = isRow(config) ? config : {};
  const vocabSize = field(settings, 'vocab_size');
  if (typeof vocabSize !== 'number' || !Number.isInteger(vocabSize) || vocabSize < 1) {
    throw new DataProblem('config.json does not say the size of the vocabulary (vocab_size).');
  }
  const tokenizerConfig = {
    ...readRow(files, 'special_tokens_map.json'),
    ...readRow(files, 'tokenizer_config.json'),
  };
  const assets: ChatAssets = {
    tokenizer,
    tokenizerConfig,
    chatTemplate: findTemplate(files, tokenizerConfig),
    stopIds: [],
    vocabSize,
  };
  const text = new ChatTokenizer(assets);
  probe(text, vocabSize);
  const endMark = openTemplate(assets, text)?.endMark ?? null;
  const stops = [
    ...(endMark === null ? [] : [text.idOf(endMark)]),
    ...idsIn(readRow(files, 'generation_config.json')),
    ...idsIn(settings),
    text.eosId,
  ];
  assets.stopIds = [...new Set(stops.filter((id): id is number => id !== null && id < vocabSize))];
  return assets;
}

/** A tokenizer.json is one long value of little depth; the limits of dataset rows do not apply to it. */
function readTokenizer(text: string): unknown {
  if (text.length > LARGEST_TOKENIZER)
    throw new DataProblem(
      `tokenizer.json has ${text.length} characters; at most ${LARGEST_TOKENIZER} are read.`,
    );
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new DataProblem(
      `tokenizer.json is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function readRow(files: ReadonlyMap<string, string>, name: string): Row {
  const text = files.get(name);
  if (text === undefined) return {};
  const parsed = parseJson(text);
  if (!parsed.ok) throw new DataProblem(`${name}: ${parsed.reason}`);
  if (!isRow(parsed.value)) throw new DataProblem(`${name} does not hold an object.`);
  return parsed.value;
}

/** A file of its own goes before tokenizer_config.json, where one of several may be named "default". */
function findTemplate(files: ReadonlyMap<string, string>, tokenizerConfig: Row): string | null {
  const own =
    files.get('chat_template.jinja') ?? field(readRow(files, 'chat_template.json'), 'chat_template');
  if (typeof own === 'string') return own;
  const inside = field(tokenizerConfig, 'chat_template');
  if (typeof inside === 'string') return inside;
  if (!Array.isArray(inside)) return null;
  const named = inside.filter(isRow);
  const chosen = named.find((entry) => field(entry, 'name') === 'default') ?? named[0];
  const template = chosen === undefined ? undefined : field(chosen, 'template');
  return typeof template === 'string' ? template : null;
}

function idsIn(config: Row): number[] {
  const value = field(config, 'eos_token_id');
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === 'number' && Number.isInteger(id) && id >= 0);
}
