/**
 * SentencePiece vocabularies of GGUF files as Phi-3 and Gemma 3 use them: the tokenizer.json that is made cuts text as llama.cpp does
 * on the same file. The vocabulary is made up; its scores say what is merged first.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { getLlama, LlamaLogLevel, type Llama } from 'node-llama-cpp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readGgufHeader } from '../../src/checkpoint/gguf/container';
import { Metadata } from '../../src/checkpoint/gguf/metadata';
import { tokenizerTexts } from '../../src/checkpoint/gguf/tokenizer';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { ggufFile } from '../checkpoint/ggufFile';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 };
interface Token {
  token: string;
  type: number;
  score: number;
}
const token = (text: string, type: number, score = 0): Token => ({ token: text, type, score });
const bytes = Array.from({ length: 256 }, (_, i) =>
  token(`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`, TYPE.byte),
);
const PIECES = [
  '▁',
  'a',
  'b',
  'c',
  'h',
  'i',
  'S',
  'Y',
  '▁a',
  '▁h',
  'hi',
  '▁hi',
  'ab',
  '▁ab',
  'SY',
  '▁SY',
  '▁b',
  '▁c',
  'abc',
];
const pieces = PIECES.map((piece, i) => token(piece, TYPE.normal, -i - 1));

/** As the converter leaves Phi-3's: marks behind the vocabulary, `</s>` not special. */
const PHI3 = [
  token('<unk>', TYPE.unknown),
  token('<s>', TYPE.control),
  token('</s>', TYPE.userDefined, -1000),
  ...bytes,
  ...pieces,
  ...['<|endoftext|>', '<|user|>', '<|end|>', '<|assistant|>'].map((mark) =>
    token(mark, TYPE.control, -1000),
  ),
];
/** As it leaves Gemma 3's: runs of spaces and newlines are tokens of their own, their spaces plain. */
const GEMMA = [
  token('<pad>', TYPE.control),
  token('<eos>', TYPE.control),
  token('<bos>', TYPE.control),
  token('<unk>', TYPE.unknown),
  ...['\n', '\n\n', '  ', '   '].map((run) => token(run, TYPE.userDefined, -1000)),
  ...['<start_of_turn>', '<end_of_turn>'].map((mark) => token(mark, TYPE.control, -1000)),
  ...bytes,
  ...pieces,
];

function file(
  architecture: string,
  name: string,
  tokens: Token[],
  prefix: boolean | null,
  ids: Record<string, number>,
) {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const sizes = {
    block_count: 1,
    context_length: 64,
    embedding_length: 32,
    feed_forward_length: 64,
    'attention.head_count': 2,
    'attention.sliding_window': 16,
  };
  const pairs = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: architecture }],
    ['general.name', { type: 'string', value: name }],
    ...Object.entries(sizes).map(([key, value]): [string, GgufValue] => [
      `${architecture}.${key}`,
      u32(value),
    ]),
    [`${architecture}.attention.layer_norm_rms_epsilon`, { type: 'f32', value: 1e-6 }],
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'default' }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokens.map((one) => one.token) }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: tokens.map(({ type }) => type) }],
    ...Object.entries(ids).map(([role, id]): [string, GgufValue] => [
      `tokenizer.ggml.${role}_token_id`,
      u32(id),
    ]),
    ...(prefix === null
      ? []
      : [['tokenizer.ggml.add_space_prefix', { type: 'bool', value: prefix }] as [string, GgufValue]]),
  ]);
  return ggufFile(
    pairs,
    [],
    new Map([['tokenizer.ggml.scores', Float32Array.from(tokens, ({ score }) => score)]]),
  );
}

const phi3 = file('phi3', 'Phi-3 mini', PHI3, null, { bos: 1, eos: 2, unknown: 0 });
const gemma = file('gemma3', 'Gemma 3', GEMMA, false, { bos: 2, eos: 1, unknown: 3, padding: 0 });

let llama: Llama;
const folder = mkdtempSync(join(tmpdir(), 'loratory-pieces-'));
beforeAll(async () => {
  llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.error });
});
afterAll(async () => {
  await llama.dispose();
  rmSync(folder, { recursive: true });
});

function made(bytes: Uint8Array): Tokenizer {
  const texts = tokenizerTexts(new Metadata(readGgufHeader(bytes).pairs), 1000);
  const parse = (name: string) => JSON.parse(texts.get(name) ?? '') as object;
  return new Tokenizer(parse('tokenizer.json'), parse('tokenizer_config.json'));
}
async function theirs(bytes: Uint8Array, texts: readonly string[]): Promise<number[][]> {
  const path = join(folder, 'words.gguf');
  writeFileSync(path, bytes);
  const model = await llama.loadModel({ modelPath: path, gpuLayers: 0, vocabOnly: true });
  const ids = texts.map((text) => [...model.tokenize(text, true)]);
  await model.dispose();
  return ids;
}

const PHI3_TEXTS = [
  '<|user|>\nSY\nhi<|end|>\n<|assistant|>\n',
  'hi abc',
  '<s> hi</s> \n b',
  '<|endoftext|> a',
  ' hi  a\tc é',
];
const GEMMA_TEXTS = [
  '<start_of_turn>a\nhi<end_of_turn>\n<start_of_turn>b\n',
  'hi  abc   b',
  ' hi\n\n\na',
  'abc é\t',
];

it('Phi-3: its marks take the white space behind them along', async () => {
  const own = made(phi3);
  const found = PHI3_TEXTS.map((text) => own.encode(text, { add_special_tokens: false }).ids);
  expect(found).toEqual(await theirs(phi3, PHI3_TEXTS));
  const mark = PHI3.findIndex((one) => one.token === '<|user|>');
  // no token of the newline between the mark and the text
  expect(found[0]?.slice(0, 2)).toEqual([mark, PHI3.findIndex((one) => one.token === '▁SY')]);
});

it('Gemma 3: no space before the text, runs of spaces and newlines are tokens', async () => {
  const own = made(gemma);
  const found = GEMMA_TEXTS.map((text) => own.encode(text, { add_special_tokens: false }).ids);
  expect(found).toEqual(await theirs(gemma, GEMMA_TEXTS));
  expect(found[1]).toContain(GEMMA.findIndex((one) => one.token === '  '));
  for (const [i, ids] of found.entries()) expect(own.decode(ids)).toBe(GEMMA_TEXTS[i]);
});
