/** The catalogue's sizes are computed from config facts; they must agree with what the repositories publish. */
import { describe, expect, it } from 'vitest';
import {
  downloadBytes,
  familyOf,
  parametersOf,
  sizesOf,
  type CatalogueModel,
} from '../../src/guide/catalogue';
import { CATALOGUE } from '../../src/guide/catalogueModels';
import { weightBytesOf } from '../../src/guide/candidate';
import { readConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';

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
    // matrices of layers in q4, embedding and head in q8, vectors in 32 bits
    let bytes = 0;
    for (const [name, shape] of weightShapes(config)) {
      const each = shape.length !== 2 ? 4 : name.startsWith('model.layers.') ? 0.625 : 1.0625;
      bytes += shape.reduce((product, side) => product * side, 1) * each;
    }
    expect(weightBytesOf(config).q4).toBe(bytes);
    expect(one.use).toMatch(/^[A-Z].*\.$/);
  });
});

it('bytes on the GPU, by hand for two layers of 64 and a vocabulary of 128', () => {
  const config = readConfig({
    architectures: ['LlamaForCausalLM'],
    vocab_size: 128,
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    max_position_embeddings: 16,
    tie_word_embeddings: false,
  });
  // layers: 2 · (4 · 64² + 3 · 64 · 128) = 81,920; outside: 2 · 128 · 64 = 16,384; vectors: 5 · 64 = 320 in 32 bits.
  // q8 has a half for every 32, 1.0625 bytes; q4 a word for every 32, 0.625; nf4 a half for every 64, 0.53125; nf4dq a
  // word for every 256, 0.515625, but rows of 64 stay nf4: only down_proj, 2 · 64 · 128 = 16,384, has whole ones. Outside of a 4-bit base
  // stands q8.
  expect(weightBytesOf(config)).toEqual({
    f32: 98_304 * 4 + 1280,
    f16: 98_304 * 2 + 1280,
    q8: 98_304 * 1.0625 + 1280,
    q4: 81_920 * 0.625 + 16_384 * 1.0625 + 1280,
    nf4: 81_920 * 0.53125 + 16_384 * 1.0625 + 1280,
    nf4dq: 65_536 * 0.53125 + 16_384 * 0.515625 + 16_384 * 1.0625 + 1280,
  });
});
