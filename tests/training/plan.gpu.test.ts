/** The plan's bytes against the bytes that the pool really holds after training; and that a step leaves nothing behind. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { sourceOfValues } from '../../src/checkpoint/source';
import { startEngine } from '../../src/gpu/backend';
import { allocatedBytes } from '../../src/gpu/memory';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';
import { loadWeights } from '../../src/model/loadWeights';
import type { PackedRows } from '../../src/protocol/data';
import { parseSettings, type Settings } from '../../src/protocol/settings';
import { planRun } from '../../src/training/plan';
import { trainRun } from '../../src/training/run';

const embedded = (name: string): ModelConfig =>
  readConfig(JSON.parse(readFileSync(`public/demo/models/${name}/config.json`, 'utf8')));

const tiny = (family: string): ModelConfig =>
  readConfig(JSON.parse(readFileSync(`tests/fixtures/models/${family}/config.json`, 'utf8')));

const middle = readConfig({
  architectures: ['LlamaForCausalLM'],
  hidden_size: 256,
  intermediate_size: 1024,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 32,
  vocab_size: 8192,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
});

/** Twelve rows of three examples each: a step of 6 examples is two rows, one micro-batch. */
function rows(length: number, vocab: number, count = 12): PackedRows {
  const ids = Int32Array.from({ length: length * count }, (_, i) => (i * 7) % vocab);
  const targets = ids.map((_, i) => (i % 3 === 0 ? (ids[i + 1] ?? 0) : -1));
  const supervised = targets.filter((target) => target >= 0).length;
  const documentStart = new Int32Array(ids.length);
  return { length, rows: count, ids, targets, documentStart, examples: 3 * count, supervised };
}

async function measure(config: ModelConfig, changes: Partial<Settings>) {
  const engine = await startEngine(); // a device of its own: a pool never shrinks
  const settings = parseSettings({
    ...{ rank: 16, alpha: 32, sequenceLength: 128, batchExamples: 6, weightFormat: 'f16' },
    ...{ maxSteps: 3, evaluateEvery: 1, patience: 0 },
    ...changes,
  });
  const shapes = weightShapes(config);
  const source = sourceOfValues(shapes, (name) => {
    const count = (shapes.get(name) ?? []).reduce((product, side) => product * side, 1);
    return Promise.resolve(Float32Array.from({ length: count }, (_, i) => ((i * 37) % 101) / 1000 - 0.05));
  });
  const weights = await loadWeights(config, source, settings.weightFormat);
  const trainable = loraTrainable(config, weights, specOf(settings, config), { seed: 1 });
  const train = rows(settings.sequenceLength, config.vocab);
  const plan = planRun(config, settings, train, { backend: 'webgpu', device: '' });
  const held: number[] = [];
  const { peakBytes } = await trainRun({
    ...{ config, trainable, settings, train, plan, from: null },
    validation: rows(settings.sequenceLength, config.vocab, 3),
    control: { stopRequested: false, pauseRequested: false, resumed: () => Promise.resolve() },
    emit: (event) => {
      if (event.type === 'step') held.push(allocatedBytes());
    },
    save: () => Promise.resolve(),
    check: () => engine.check(),
  });
  return { predicted: plan.predictedBytes, peakBytes, held };
}

const cases: { name: string; config: ModelConfig; changes: Partial<Settings> }[] = [
  { name: 'llama as in the lesson', config: embedded('llama'), changes: {} },
  { name: 'qwen as in the lesson', config: embedded('qwen'), changes: {} },
  {
    name: 'qwen, everything kept, rank 8, 256 tokens',
    config: embedded('qwen'),
    changes: { keptLayers: 1000, rank: 8, sequenceLength: 256 },
  },
  { name: 'llama, one layer kept', config: embedded('llama'), changes: { keptLayers: 1 } },
  { name: 'Gemma, one layer kept', config: tiny('gemma3_text'), changes: { keptLayers: 1 } },
  {
    name: 'mistral, f32, rank 8, two targets',
    config: embedded('mistral'),
    changes: { weightFormat: 'f32', rank: 8, targets: ['q_proj', 'v_proj'] },
  },
  {
    name: 'llama, 256 tokens, dropout',
    config: embedded('llama'),
    changes: { sequenceLength: 256, dropout: 0.1 },
  },
  { name: 'Gemma, which norms results too', config: tiny('gemma3_text'), changes: {} },
  { name: 'Phi-3 with fused layers', config: tiny('phi3'), changes: { targets: ['o_proj', 'down_proj'] } },
  { name: 'a wider model, 256 tokens', config: middle, changes: { sequenceLength: 256 } },
  {
    name: 'a wider model, 256 tokens, inputs as half floats',
    config: middle,
    changes: { sequenceLength: 256, halfInputs: true },
  },
];

it.each(cases)(
  '$name: predicted within 10 %% of the pool',
  async ({ name, config, changes }) => {
    const { predicted, peakBytes, held } = await measure(config, changes);
    console.log(`${name}: ${peakBytes} bytes held, ${predicted} predicted`);
    expect(held[2]).toBe(held[1]); // after two steps with a check between them nothing more is taken
    expect(Math.abs(predicted / peakBytes - 1)).toBeLessThan(0.1);
  },
  240_000,
);
