/**
 * SentencePiece vocabularies of GGUF files as Phi-3 and Gemma 3 use them: the tokenizer.json that is made cuts text as llama.cpp does
 * on the same file.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { LlamaLogLevel } from 'node-llama-cpp';
import { expect, it, vi } from 'vitest';
import { readGgufHeader } from '../../src/checkpoint/gguf/container';
import { Metadata } from '../../src/checkpoint/gguf/metadata';
import { tokenizerTexts } from '../../src/checkpoint/gguf/tokenizer';
import {
  GEMMA_FILE as gemma,
  GEMMA_TOKENS as GEMMA,
  PHI3_FILE as phi3,
  PHI3_TOKENS as PHI3,
} from '../checkpoint/pieceFiles';
import { realLlama } from './realLlama';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

// a file without weights is an error to it, though its vocabulary is read
const real = realLlama(LlamaLogLevel.disabled);

function made(bytes: Uint8Array): Tokenizer {
  const texts = tokenizerTexts(new Metadata(readGgufHeader(bytes).pairs), 1000);
  const parse = (name: string) => JSON.parse(texts.get(name) ?? '') as object;
  return new Tokenizer(parse('tokenizer.json'), parse('tokenizer_config.json'));
}
async function theirs(bytes: Uint8Array, texts: readonly string[]): Promise<number[][]> {
  const path = join(real.folder, 'words.gguf');
  writeFileSync(path, bytes);
  const model = await real.llama.loadModel({ modelPath: path, gpuLayers: 0, vocabOnly: true });
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
