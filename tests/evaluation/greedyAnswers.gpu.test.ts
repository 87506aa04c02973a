/** Answers to several prompts at once, against the greedy tokens of transformers (tests/fixtures/models/llama/meta.json). */
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { baseModel } from '../../src/adapter/baseModel';
import { greedyAnswers } from '../../src/evaluation/greedyAnswers';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { readConfig } from '../../src/model/config';
import type { Runnable } from '../../src/model/forward';
import { loadWeights } from '../../src/model/loadWeights';
import { fixtureFormat } from '../chat/assets';
import { sourceOfFolder } from '../checkpoint/folder';

vi.setConfig({ testTimeout: 120_000 });
const folder = 'tests/fixtures/models/llama';
const read = (name: string): unknown => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
const { prompt, new_tokens: tokens } = (
  read('meta.json') as { base: { generate: { prompt: number[]; new_tokens: number[] } } }
).base.generate;
const format = fixtureFormat('llama');
const rows = [{ promptIds: Int32Array.from(prompt) }, { promptIds: Int32Array.of(9) }];
const text = (ids: number[]) => format.tokenizer.decodeAnswer(ids);

let engine: Engine;
let model: Runnable;
beforeAll(async () => {
  engine = await startEngine();
  const config = readConfig(read('config.json'));
  model = baseModel(config, await loadWeights(config, await sourceOfFolder(folder), 'f32'));
});
afterEach(() => engine.check());

describe('an answer', () => {
  it('that has not ended at the limit is cut', async () => {
    const [answer] = await greedyAnswers(model, { ...format, stopIds: [] }, rows, tokens.length);
    expect(answer).toEqual({ text: text(tokens), cut: true });
  });

  it('ends before its end mark while the others go on', async () => {
    // 373 stands at places 4 and 12 of the 16: the answer is what comes before the first
    const [first, second] = await greedyAnswers(model, { ...format, stopIds: [373] }, rows, 8);
    expect(tokens.indexOf(373)).toBe(4);
    expect(first).toEqual({ text: text(tokens.slice(0, 4)), cut: false });
    expect(second?.text).not.toBe('');
  });
});
