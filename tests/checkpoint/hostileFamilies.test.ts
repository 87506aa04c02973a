/**
 * Broken and hostile GGUF files of SmolLM3, Phi-3 and Gemma 3, read all the way to numbers and a config: each is refused with its
 * reason, or is a whole model.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { FormatError } from '../../src/checkpoint/safetensors';
import { sourceOf, sourceOfValues, type WeightSource } from '../../src/checkpoint/source';
import { readConfig } from '../../src/model/config';
import { checkShapes } from '../../src/model/loadWeights';
import { weightShapes } from '../../src/model/shapes';
import { randomFrom } from '../../src/random';
import { convertToGguf, type Architecture, type Json } from './convert';
import { mutant } from './mutants';

const SIZES = {
  hidden_size: 16,
  intermediate_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 6,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: true,
};
const JSONS: Record<Exclude<Architecture, 'llama'>, Json> = {
  smollm3: { ...SIZES, architectures: ['SmolLM3ForCausalLM'], no_rope_layer_interval: 4 },
  phi3: {
    ...SIZES,
    architectures: ['Phi3ForCausalLM'],
    original_max_position_embeddings: 16,
    sliding_window: 8,
    rope_scaling: { type: 'longrope', short_factor: [1, 1.5, 2, 3], long_factor: [1, 2, 4, 9] },
  },
  gemma3: {
    ...SIZES,
    architectures: ['Gemma3ForCausalLM'],
    head_dim: 8,
    query_pre_attn_scalar: 8,
    sliding_window: 8,
    sliding_window_pattern: 6,
  },
};
const ARCHITECTURES = Object.keys(JSONS) as (keyof typeof JSONS)[];

const TOKENS = ['<unk>', '<s>', '</s>', '▁', 'a', '▁a'];
const tokenizer = {
  pairs: [
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.tokens', { type: 'strings', value: TOKENS }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: [2, 3, 3, 1, 1, 1] }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 1 }],
  ] satisfies [string, GgufValue][],
  lists: new Map([['tokenizer.ggml.scores', Float32Array.of(0, 0, 0, -2, -3, -1)]]),
};

function weightsOf(json: Json): WeightSource {
  const random = randomFrom(3);
  return sourceOfValues(weightShapes(readConfig(json)), (name) => {
    const shape = weightShapes(readConfig(json)).get(name) ?? [];
    const count = shape.reduce((product, side) => product * side, 1);
    return Promise.resolve(Float32Array.from({ length: count }, () => random() - 0.5));
  });
}

const make = async (architecture: keyof typeof JSONS, changes: Json = {}) => {
  const json = { ...JSONS[architecture], ...changes };
  return (await convertToGguf(json, architecture, weightsOf(JSONS[architecture]), tokenizer, 'F32')).file;
};
const open = (bytes: Uint8Array<ArrayBuffer>) => openCheckpoint([fileInMemory('m.gguf', bytes)], new Map());

/** `file` with the u32 value of the key `key` changed. */
function withKey(file: Uint8Array<ArrayBuffer>, key: string, value: number): Uint8Array<ArrayBuffer> {
  const bytes = file.slice();
  const at = Buffer.from(bytes).indexOf(key);
  new DataView(bytes.buffer).setUint32(at + key.length + 4, value, true);
  return bytes;
}
function renamed(file: Uint8Array<ArrayBuffer>, from: string, to: string): Uint8Array<ArrayBuffer> {
  const bytes = file.slice();
  bytes.set(new TextEncoder().encode(to), Buffer.from(bytes).indexOf(from));
  return bytes;
}

describe('a hostile file of these families is refused with its reason', () => {
  let phi3: Uint8Array<ArrayBuffer>;
  let gemma3: Uint8Array<ArrayBuffer>;
  let smollm3: Uint8Array<ArrayBuffer>;
  beforeAll(async () => {
    [phi3, gemma3, smollm3] = [await make('phi3'), await make('gemma3'), await make('smollm3')];
  });
  const read = async (bytes: Uint8Array<ArrayBuffer>) => {
    const checkpoint = await open(bytes);
    checkShapes(readConfig(checkpoint.config), sourceOf(checkpoint));
    return checkpoint;
  };

  it('the files that the broken ones are made from are whole', async () => {
    for (const file of [phi3, gemma3, smollm3]) await read(file);
  });
  it.each<[string, () => Uint8Array<ArrayBuffer>, RegExp]>([
    [
      'a list of factors that no one knows',
      () => renamed(phi3, 'rope_factors_short', 'rope_factors_shart'),
      /shart/,
    ],
    [
      'four billion layers',
      () => withKey(gemma3, 'gemma3.block_count', 2 ** 32 - 1),
      /says 4294967295 layers; at/,
    ],
    ['a head turned by more than it has', () => withKey(phi3, 'phi3.rope.dimension_count', 32), /32 of 8/],
    [
      'a head turned by nothing',
      () => withKey(phi3, 'phi3.rope.dimension_count', 0),
      /partial_rotary_factor/,
    ],
    [
      'factors for another head',
      () => withKey(phi3, 'phi3.rope.dimension_count', 6),
      /must be 3 numbers above 0/,
    ],
    [
      'no original length',
      () => withKey(phi3, 'scaling.original_context_length', 0),
      /original_max_position/,
    ],
    ['a Phi-3 that says it is a llama', () => renamed(phi3, 'phi3', 'llam'), /llam is not read/],
    ['more layers than there are', () => withKey(phi3, 'phi3.block_count', 2), /no tensor model\.layers\.1/],
    ['no window', () => withKey(gemma3, 'gemma3.attention.sliding_window', 0), /sliding_window is 0/],
    [
      'a norm of another family',
      () => renamed(gemma3, 'post_ffw_norm', 'post_fff_norm'),
      /post_fff_norm\.weight, which no layer of gemma3 has/,
    ],
    ['part of a head turned', () => withKey(smollm3, 'smollm3.rope.dimension_count', 4), /4 of 8 numbers/],
    [
      'heads that do not share the rows',
      () => withKey(smollm3, 'smollm3.attention.head_count_kv', 3),
      /8 rows, which 3 heads cannot share/,
    ],
    [
      'a part of Phi-3 in a SmolLM3',
      () => renamed(smollm3, 'attn_v.weight', 'attn_v.wexght'),
      /attn_v\.wexght/,
    ],
  ])('%s', async (_, make_, reason) => {
    await expect(read(make_())).rejects.toThrow(reason);
  });

  it('one list of factors alone', async () => {
    const scaling = { type: 'longrope', long_factor: [1, 2, 4, 9] };
    await expect(read(await make('phi3', { rope_scaling: scaling }))).rejects.toThrow(
      /one of rope_factors_long and rope_factors_short/,
    );
  });

  it('factors that are no number, or none at all', async () => {
    for (const factor of [NaN, Infinity, 0, -1]) {
      const long_factor = [1, factor, 4, 9];
      const scaling = { type: 'longrope', short_factor: [1, 1.5, 2, 3], long_factor };
      await expect(read(await make('phi3', { rope_scaling: scaling }))).rejects.toThrow(
        /long_factor must be 4 numbers above 0/,
      );
    }
  });
});

describe.each(ARCHITECTURES)('1,000 mutants of a %s file', (architecture) => {
  it('are refused for a reason, or every number of them can be read', { timeout: 120_000 }, async () => {
    const original = await make(architecture);
    const random = randomFrom(11);
    const counts = { refused: 0, unfit: 0, whole: 0 };
    let slowest = 0;
    for (let i = 0; i < 1000; i++) {
      // damage to the keys and the list of tensors; the weights behind them are seen by no reader
      const head = original.length - 8000;
      const damaged = mutant(original.subarray(0, head), random);
      const bytes = new Uint8Array([...damaged, ...original.subarray(head)]);
      const start = performance.now();
      try {
        const checkpoint = await open(bytes);
        const source = sourceOf(checkpoint);
        for (const name of source.names()) {
          const count = source.shape(name).reduce((product, side) => product * side, 1);
          expect((await source.read(name)).length).toBe(count);
        }
        counts.whole++;
        try {
          checkShapes(readConfig(checkpoint.config), source);
        } catch (error) {
          if (error instanceof TypeError || error instanceof RangeError) throw error;
          counts.unfit++; // a config that the decoder refuses, in words
        }
      } catch (error) {
        if (!(error instanceof FormatError)) throw new Error(`mutant ${i}`, { cause: error });
        counts.refused++;
      }
      slowest = Math.max(slowest, performance.now() - start);
    }
    expect(counts.refused).toBeGreaterThan(100);
    expect(counts.whole).toBeGreaterThan(10);
    expect(slowest).toBeLessThan(2000);
  });
});
