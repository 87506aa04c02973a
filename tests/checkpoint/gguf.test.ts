/** GGUF models: what was written comes back as the checkpoint it came from, tokenizer and config included. */
import { existsSync, readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { Metadata } from '../../src/checkpoint/gguf/metadata';
import { divisorsOf, scalingFromDivisors } from '../../src/checkpoint/gguf/ropeScaling';
import { tokenizerTexts } from '../../src/checkpoint/gguf/tokenizer';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { sourceOf } from '../../src/checkpoint/source';
import { writeGgufModel } from '../../src/exchange/ggufModel';
import { readConfig } from '../../src/model/config';
import { FAMILIES, fixture, readBytes } from '../exchange/fixtures';
import { openFolder } from './folder';
import { readSentencePiece } from './sentencePiece';

const open = (bytes: Uint8Array<ArrayBuffer>): Promise<Checkpoint> =>
  openCheckpoint([fileInMemory('model.gguf', bytes)], new Map());
const TEXTS = [
  'the cat, it’s 1234 the\n\n  äö <|im_end|>',
  'Hello  world\t!\r\n 12345 don’t DON’T',
  '日本語 🙂 é',
  ' leading',
];

describe.each(FAMILIES)('%s written as GGUF', (family) => {
  const { config, assets, weights, path } = fixture(family);
  const written = weights().then((source) => writeGgufModel(config, source, assets, 'x'));

  it('has the same tensors under the same names, q and k rows in order', async () => {
    const source = await weights();
    const read = sourceOf(await open(await written));
    expect(read.names().sort()).toEqual(source.names().sort());
    for (const name of source.names()) {
      expect(read.shape(name)).toEqual(source.shape(name));
      expect(await read.read(name)).toEqual(await source.read(name));
    }
  });

  it('has the same config, as far as GGUF keeps it', async () => {
    const read = readConfig((await open(await written)).config);
    // llama.cpp runs Mistral as llama and knows no window for it
    const kinds = config.kinds.map((kind) => ({ ...kind, window: null }));
    const lost = family === 'mistral' ? { family: 'llama', kinds } : {};
    expect(read).toEqual({ ...config, ...lost });
  });

  it('cuts text into the same ids', async () => {
    const { texts } = await open(await written);
    const engine = (files: { tokenizer: string; config: string }) =>
      new Tokenizer(JSON.parse(files.tokenizer) as object, JSON.parse(files.config) as object);
    const made = engine({
      tokenizer: texts.get('tokenizer.json') ?? '',
      config: texts.get('tokenizer_config.json') ?? '',
    });
    const own = engine({
      tokenizer: readFileSync(path('tokenizer.json'), 'utf8'),
      config: readFileSync(path('tokenizer_config.json'), 'utf8'),
    });
    for (const text of TEXTS) {
      expect(made.encode(text).ids).toEqual(own.encode(text).ids);
      const { ids } = own.encode(text, { add_special_tokens: false });
      expect(ids.length).toBeGreaterThan(2);
      expect(made.decode(ids)).toBe(own.decode(ids));
    }
  });
});

it('keeps the chat template, and a tokenizer.json beside the file goes before its own', async () => {
  const { config, assets, weights } = fixture('qwen2');
  const file = await writeGgufModel(
    config,
    await weights(),
    { ...assets, chatTemplate: '{{ messages }}' },
    'x',
  );
  const { texts } = await open(file);
  expect(JSON.parse(texts.get('tokenizer_config.json') ?? '')).toMatchObject({
    chat_template: '{{ messages }}',
  });
  const beside = await openCheckpoint([fileInMemory('m.gguf', file)], new Map([['tokenizer.json', '{}']]));
  expect(beside.texts.get('tokenizer.json')).toBe('{}');
});

describe('Llama 3’s rope from its divisors', () => {
  const base = { rope_type: 'llama3' as const, low_freq_factor: 1, high_freq_factor: 4 };
  it.each([
    ['Llama 3.2', { ...base, factor: 32, original_max_position_embeddings: 8192 }, 500_000, 32],
    ['Llama 3.1', { ...base, factor: 8, original_max_position_embeddings: 8192 }, 500_000, 64],
    ['another length', { ...base, factor: 8, original_max_position_embeddings: 64 }, 10_000, 16],
    [
      'other bounds',
      { ...base, high_freq_factor: 6, factor: 4, original_max_position_embeddings: 2048 },
      10_000,
      32,
    ],
  ])('%s: the numbers come back', (_, scaling, theta, count) => {
    expect(scalingFromDivisors(divisorsOf(scaling, theta, count), theta)).toEqual(scaling);
  });

  it('refuses divisors of another rule', () => {
    expect(() => scalingFromDivisors(Float32Array.of(1, 1, 5, 2, 8), 10_000)).toThrow(
      /do not follow Llama 3/,
    );
  });
});

const stories = '../shared/models/stories260K';
describe.skipIf(!existsSync(stories))('a SentencePiece vocabulary (stories260K)', () => {
  it('becomes the tokenizer.json that transformers makes of it, merge by merge', () => {
    const pieces = readSentencePiece(readBytes(`${stories}/tokenizer.model`));
    expect(pieces.length).toBe(512);
    const pairs = new Map<string, string | number | boolean | (string | number)[]>([
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', pieces.map(({ token }) => token)],
      ['tokenizer.ggml.scores', pieces.map(({ score }) => score)],
      ['tokenizer.ggml.token_type', pieces.map(({ type }) => type)],
      ['tokenizer.ggml.bos_token_id', 1],
      ['tokenizer.ggml.eos_token_id', 2],
      ['tokenizer.ggml.unknown_token_id', 0],
    ]);
    const texts = tokenizerTexts(new Metadata(pairs), 512);
    const made = JSON.parse(texts.get('tokenizer.json') ?? '') as unknown;
    expect(made).toEqual(JSON.parse(readFileSync(`${stories}/tokenizer.json`, 'utf8')));
  });

  it('opens as safetensors with its config', async () => {
    const checkpoint = await openFolder(stories);
    expect(readConfig(checkpoint.config).vocab).toBe(512);
    expect(sourceOf(checkpoint).shape('model.embed_tokens.weight')).toEqual([512, 64]);
  });
});
