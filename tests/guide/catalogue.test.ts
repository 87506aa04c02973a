/** The catalogue's sizes are computed from config facts; they must agree with what the repositories publish. */
import { describe, expect, it } from 'vitest';
import {
  CATALOGUE,
  downloadBytes,
  familyOf,
  parametersOf,
  sizesOf,
  weightBytes,
  type CatalogueModel,
} from '../../src/guide/catalogue';
import { readConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/weights';

const model = (id: string): CatalogueModel => {
  const found = CATALOGUE.find((one) => one.id === id);
  if (!found) throw new Error(`The catalogue has no ${id}.`);
  return found;
};

describe('the catalogue', () => {
  it('has at least twelve models without a gate, from 135 million to 8 billion, each once, ungated first', () => {
    expect(CATALOGUE.filter(({ gated }) => !gated).length).toBeGreaterThanOrEqual(12);
    expect(new Set(CATALOGUE.map(({ id }) => id)).size).toBe(CATALOGUE.length);
    const open = CATALOGUE.filter(({ gated }) => !gated).map(parametersOf);
    expect(open).toEqual([...open].sort((a, b) => a - b));
    expect(open[0]).toBe(134_515_008);
    expect(Math.max(...open)).toBeLessThan(8.3e9);
    const firstGated = CATALOGUE.findIndex(({ gated }) => gated);
    expect(CATALOGUE.slice(firstGated).every(({ gated }) => gated)).toBe(true);
  });

  // numbers that the repositories, or tools that load them, publish
  it.each([
    ['HuggingFaceTB/SmolLM2-360M-Instruct', 361_821_120],
    ['Qwen/Qwen2.5-0.5B-Instruct', 494_032_768],
    ['unsloth/gemma-3-1b-it', 999_885_952],
    ['TinyLlama/TinyLlama-1.1B-Chat-v1.0', 1_100_048_384],
  ])('%s has %i parameters', (id, parameters) => {
    expect(parametersOf(model(id))).toBe(parameters);
  });

  // sizes of model.safetensors as the hub lists them, in GB
  it.each([
    ['unsloth/Llama-3.2-1B-Instruct', 2.47],
    ['Qwen/Qwen2.5-1.5B-Instruct', 3.09],
    ['deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B', 3.55],
  ])('%s is a download of %d GB', (id, gigabytes) => {
    expect(downloadBytes(model(id)) / 1e9).toBeCloseTo(gigabytes, 2);
  });

  it('Qwen3 0.6B is stored with its head a second time: 596,049,920 and 155,582,464 numbers of two bytes', () => {
    expect(parametersOf(model('Qwen/Qwen3-0.6B'))).toBe(596_049_920);
    expect(downloadBytes(model('Qwen/Qwen3-0.6B'))).toBe(2 * (596_049_920 + 155_582_464));
  });

  it.each(CATALOGUE)('$id can be read and its parts are those of its tensors', (one) => {
    const config = sizesOf(one);
    expect(familyOf(one).length).toBeGreaterThan(3);
    let bytes = 0;
    for (const shape of weightShapes(config).values())
      bytes += shape.reduce((product, side) => product * side, 1) * (shape.length === 2 ? 0.625 : 4);
    expect(weightBytes(config, 'q4')).toBe(bytes);
    expect(one.use).toMatch(/^[A-Z].*\.$/);
  });
});

it('bytes on the GPU, by hand for two layers of 4 and a vocabulary of 8', () => {
  const config = readConfig({
    architectures: ['LlamaForCausalLM'],
    vocab_size: 8,
    hidden_size: 4,
    intermediate_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    max_position_embeddings: 16,
    tie_word_embeddings: false,
  });
  // matrices: 2 · 8 · 4 + 2 · (4 · 16 + 3 · 32) = 64 + 320 = 384; vectors: 2 · 2 · 4 + 4 = 20
  const expected = { f32: 384 * 4, f16: 384 * 2, q8: 408, q4: 240, nf4: 204 };
  for (const [format, matrices] of Object.entries(expected))
    expect(weightBytes(config, format as keyof typeof expected)).toBe(matrices + 80);
});
