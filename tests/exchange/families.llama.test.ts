/**
 * SmolLM3, Phi-3 and Gemma 3 out of GGUF files made by the rules of llama.cpp's converter: the model that config.json and
 * safetensors describe comes back, and gives llama.cpp's next-token log-probabilities on the same file.
 */
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { beforeAll, describe, expect, it } from 'vitest';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { sourceOf, type WeightSource } from '../../src/checkpoint/source';
import { ggufTokenizer } from '../../src/exchange/ggufTokenizer';
import { startEngine } from '../../src/gpu/backend';
import { readConfig } from '../../src/model/config';
import { convertToGguf, type Architecture, type Json } from '../checkpoint/convert';
import { fixture, readJson, readTensor, type FixtureFamily } from './fixtures';
import { exactLlama } from './realLlama';
import { largestDifference, logSoftmax, ourLogits, theirLogProbabilities } from './nextToken';
import { repeatedFixture } from './repeated';

interface Case {
  title: string;
  architecture: Architecture;
  family: FixtureFamily;
  json: Json;
  weights: () => Promise<WeightSource>;
  /** What llama.cpp calls the fixture's rule of cutting text in a file of this kind. */
  pre: string;
}

const phi3 = fixture('phi3');
const phi3Json = readJson(phi3.path('config.json')) as Json;
/** Made up: a divisor for each of `count` frequencies. */
const factors = (count: number, from: number) =>
  Array.from({ length: count }, (_, i) => Number((from + 0.37 * i * i).toFixed(3)));
const longrope = (count: number) => ({
  rope_scaling: { type: 'longrope', short_factor: factors(count, 1), long_factor: factors(count, 2.5) },
});

const phi = (title: string, changes: Json): Case => ({
  title,
  architecture: 'phi3',
  family: 'phi3',
  json: { ...phi3Json, ...changes },
  weights: phi3.weights,
  pre: 'dbrx',
});
const gemma = (title: string, changes: Json): Case => {
  const { json, weights } = repeatedFixture('gemma3_text');
  return {
    title,
    architecture: 'gemma3',
    family: 'gemma3_text',
    json: { ...json, ...changes },
    weights,
    pre: 'llama-bpe',
  };
};
const CASES: Case[] = [
  {
    title: 'SmolLM3, every fourth layer without rope',
    architecture: 'smollm3',
    family: 'smollm3',
    ...repeatedFixture('smollm3'),
    pre: 'smaug-bpe',
  },
  phi('Phi-3, its layers fused', {}),
  phi('Phi-3 with long-context factors, within its first length', {
    ...longrope(8),
    max_position_embeddings: 2048,
    sliding_window: 300,
  }),
  phi('Phi-3 with long-context factors, past its first length', {
    ...longrope(8),
    original_max_position_embeddings: 16,
  }),
  phi('Phi-4-mini: the same over three quarters of each head', {
    ...longrope(6),
    original_max_position_embeddings: 16,
    partial_rotary_factor: 0.75,
  }),
  gemma('Gemma 3, every sixth layer without a window', {}),
  gemma('Gemma 3 whose layers without a window turn more slowly', {
    rope_scaling: { rope_type: 'linear', factor: 8 },
  }),
];

const real = exactLlama();
beforeAll(async () => {
  await startEngine({ backend: 'cpu' });
});

describe.each(CASES)('$title', ({ architecture, family, json, weights, pre }) => {
  const { path, assets } = fixture(family);
  const { values: all, shape } = readTensor(path('inputs.safetensors'), 'input_ids');
  const ids = [...all.subarray(0, shape[1] ?? 0)];
  const config = readConfig(json);
  const pairs: [string, GgufValue][] = [
    ...ggufTokenizer(assets).filter(([key]) => key !== 'tokenizer.ggml.pre'),
    ['tokenizer.ggml.pre', { type: 'string', value: pre }],
  ];
  const tokenizer = { pairs, lists: new Map<string, Float32Array>() };
  const convert = async (encoding: 'F32' | 'Q8_0') =>
    convertToGguf(json, architecture, await weights(), tokenizer, encoding);
  const open = (file: Uint8Array<ArrayBuffer>) => openCheckpoint([fileInMemory('m.gguf', file)], new Map());

  it('comes back: config, names, shapes, numbers', async () => {
    const { file } = await convert('F32');
    const checkpoint = await open(file);
    expect(readConfig(checkpoint.config)).toEqual(config);
    const source = await weights();
    const read = sourceOf(checkpoint);
    expect(read.names().sort()).toEqual(source.names().sort());
    for (const name of source.names()) {
      expect(read.shape(name)).toEqual(source.shape(name));
      const found = await read.read(name);
      const expected = await source.read(name);
      // 1 is added to Gemma's gains and taken off again
      const apart = found.map((value, i) => Math.abs(value - (expected[i] ?? NaN)));
      expect(Math.max(...apart)).toBeLessThanOrEqual(6e-8);
    }
  });

  it('gives the logits of its safetensors form', async () => {
    const { file } = await convert('F32');
    const checkpoint = await open(file);
    const found = await ourLogits(readConfig(checkpoint.config), sourceOf(checkpoint), ids);
    expect(largestDifference(found, await ourLogits(config, await weights(), ids))).toBeLessThan(1e-5);
  });

  it.for(['F32', 'Q8_0'] as const)(
    'gives llama.cpp’s log-probabilities as %s',
    async (encoding, { skip }) => {
      const { file } = await convert(encoding);
      const gelu = config.activation === 'gelu_tanh';
      if ((encoding === 'Q8_0' || gelu) && real.rounds !== null) skip(real.rounds);
      const checkpoint = await open(file);
      const found = await ourLogits(readConfig(checkpoint.config), sourceOf(checkpoint), ids);
      const theirs = await theirLogProbabilities(real.llama, join(real.folder, 'm.gguf'), file, ids);
      expect(largestDifference(found.map(logSoftmax), theirs)).toBeLessThan(1e-4);
    },
  );

  it('cuts text into the ids of its tokenizer.json', async () => {
    const { texts } = await open((await convert('F32')).file);
    const made = new Tokenizer(
      JSON.parse(texts.get('tokenizer.json') ?? '') as object,
      JSON.parse(texts.get('tokenizer_config.json') ?? '') as object,
    );
    const own = new Tokenizer(assets.tokenizer as object, assets.tokenizerConfig as object);
    for (const text of ['the cat, it’s 1234 the\n\n  äö <|im_end|>', 'Hello  world\t!\r\n 12345 don’t DON’T'])
      expect(made.encode(text).ids).toEqual(own.encode(text).ids);
  });
});
