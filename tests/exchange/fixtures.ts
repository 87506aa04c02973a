/** The tiny models of tests/fixtures/models and their adapters, read from disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, tensorBytes, toFloat32, toInt32 } from '../../src/checkpoint/safetensors';
import { readPeft } from '../../src/exchange/peft';
import { readConfig } from '../../src/model/config';
import type { ChatAssets } from '../../src/protocol/data';
import { sourceOfFolder } from '../checkpoint/folder';

export const FAMILIES = ['llama', 'qwen2', 'qwen3', 'mistral', 'phi3'] as const;
/** These need more layers than the oracle's two before llama.cpp runs them; see llama.test.ts. */
export type FixtureFamily = (typeof FAMILIES)[number] | 'smollm3' | 'gemma3_text';

const models = join(import.meta.dirname, '../fixtures/models');
export const adapters = join(import.meta.dirname, '../fixtures/adapters');

export const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
export const readBytes = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(path));

export function readTensor(path: string, name: string): { shape: number[]; values: Float32Array } {
  const file = readBytes(path);
  const entry = readSafetensors(file).entries.get(name);
  if (!entry) throw new Error(`${path} holds no ${name}`);
  const bytes = tensorBytes(file, entry);
  const values =
    entry.dtype === 'I32' ? Float32Array.from(toInt32(bytes, 'I32')) : toFloat32(bytes, entry.dtype);
  return { shape: entry.shape, values };
}

export function fixture(family: FixtureFamily) {
  const path = (...parts: string[]) => join(models, family, ...parts);
  const config = readConfig(readJson(path('config.json')));
  const tokenizerConfig = readJson(path('tokenizer_config.json'));
  const assets: ChatAssets = {
    tokenizer: readJson(path('tokenizer.json')),
    tokenizerConfig,
    chatTemplate: null,
    stopIds: config.stopIds,
    vocabSize: config.vocab,
  };
  const peft = (variant: 'lora' | 'rslora') => ({
    config: readFileSync(path(variant, 'adapter_config.json'), 'utf8'),
    weights: readBytes(path(variant, 'adapter_model.safetensors')),
  });
  return {
    path,
    config,
    assets,
    peft,
    weights: () => sourceOfFolder(path()),
    adapter: (variant: 'lora' | 'rslora') => readPeft(peft(variant).config, peft(variant).weights, config),
  };
}
