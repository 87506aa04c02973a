/** What config.json says becomes facts of the one decoder, or a refusal that names what is missing. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/model/config';
import { linearShape, parameterCount, targetIn, targetsOf } from '../../src/model/shapes';
import { weightShapes } from '../../src/model/weights';
import {
  GEMMA3_1B,
  PHI_35_MINI_NARROW,
  R1_DISTILL_QWEN_1_5B,
  SMOLLM2_135M,
  SMOLLM3_3B,
  TINYLLAMA,
} from './configs';

const fixtures = join(import.meta.dirname, '../fixtures/models');
const plainRope = (theta: number, dim: number) => ({ theta, dim, scaling: null });

describe('the families', () => {
  it('SmolLM2 is a Llama: 134,515,008 parameters, as its repository counts', () => {
    const config = readConfig(SMOLLM2_135M);
    expect(config).toMatchObject({ family: 'llama', tied: true, headDim: 64, biased: [], fused: false });
    expect(config.kinds).toEqual([{ window: null, rope: plainRope(100_000, 64) }]);
    expect(parameterCount(config)).toBe(134_515_008);
  });

  it('TinyLlama is a Llama: 1,100,048,384 parameters', () => {
    const config = readConfig(TINYLLAMA);
    expect(config).toMatchObject({ family: 'llama', tied: false, headDim: 64, kvHeads: 4 });
    expect(parameterCount(config)).toBe(1_100_048_384);
  });

  it('DeepSeek-R1-Distill-Qwen is a Qwen2 whose window is off and whose head is its own: 1,777,088,000', () => {
    const config = readConfig(R1_DISTILL_QWEN_1_5B);
    expect(config).toMatchObject({ family: 'qwen2', tied: false, biased: ['q_proj', 'k_proj', 'v_proj'] });
    expect(config.kinds).toEqual([{ window: null, rope: plainRope(10_000, 128) }]);
    expect(parameterCount(config)).toBe(1_777_088_000);
  });

  it('Qwen2 with its window on: the layers from max_window_layers have it', () => {
    const config = readConfig({ ...R1_DISTILL_QWEN_1_5B, use_sliding_window: true });
    expect(config.kinds.map(({ window }) => window)).toEqual([null, 4096]);
    expect(config.kindOf).toEqual(Array.from({ length: 28 }, (_, layer) => (layer < 21 ? 0 : 1)));
  });

  it('SmolLM3: every fourth layer does not turn; tied where config.json does not say: 3,075,098,624', () => {
    const config = readConfig(SMOLLM3_3B);
    expect(config.kinds).toEqual([
      { window: null, rope: plainRope(5_000_000, 128) },
      { window: null, rope: null },
    ]);
    expect(config.kindOf).toEqual(SMOLLM3_3B.no_rope_layers.map((turned) => 1 - turned));
    expect(readConfig({ ...SMOLLM3_3B, no_rope_layers: undefined }).kindOf).toEqual(config.kindOf);
    expect(config.tied).toBe(true);
    expect(parameterCount(config)).toBe(3_075_098_624);
  });

  it('Phi-3 keeps q, k, v and gate, up in one matrix each, and adapts them together', () => {
    const config = readConfig({ ...PHI_35_MINI_NARROW, num_key_value_heads: 8 });
    expect(targetsOf(config)).toEqual(['qkv_proj', 'o_proj', 'gate_up_proj', 'down_proj']);
    // 32 query and twice 8 key-value heads of 32; twice 8192
    expect(linearShape(config, 'qkv_proj')).toEqual({ out: 1536, in: 1024 });
    expect(linearShape(config, 'gate_up_proj')).toEqual({ out: 16384, in: 1024 });
    expect(targetIn(config, 'k_proj')).toBe('qkv_proj');
    expect(targetIn(config, 'up_proj')).toBe('gate_up_proj');
    expect(targetIn(readConfig(TINYLLAMA), 'k_proj')).toBe('k_proj');
  });

  it('Gemma 3: five windowed layers with their own rope, then one that sees all: 999,885,952', () => {
    const config = readConfig(GEMMA3_1B);
    expect(config).toMatchObject({
      norm: { epsilon: 1e-6, offset: 1 },
      activation: 'gelu_tanh',
      tied: true,
      qkNorm: true,
      outputNorms: true,
      embeddingScale: Math.sqrt(1152),
      attentionScale: 1 / 16,
      stopIds: [1, 106],
    });
    expect(config.kinds).toEqual([
      { window: 512, rope: plainRope(10_000, 256) },
      { window: null, rope: plainRope(1_000_000, 256) },
    ]);
    expect(config.kindOf).toEqual(Array.from({ length: 26 }, (_, layer) => ((layer + 1) % 6 === 0 ? 1 : 0)));
    expect(parameterCount(config)).toBe(999_885_952);
  });

  it('Gemma 3 scales only the layers that see all', () => {
    const { kinds } = readConfig({ ...GEMMA3_1B, rope_scaling: { rope_type: 'linear', factor: 8 } });
    expect(kinds.map(({ rope }) => rope?.scaling)).toEqual([null, { type: 'linear', factor: 8 }]);
  });

  it('reads Gemma’s ropes in the new form, with the bases beside or inside', () => {
    const fresh = { ...GEMMA3_1B, rope_parameters: undefined as unknown, rope_scaling: undefined };
    const full = { rope_type: 'linear', factor: 8, rope_theta: 1_000_000 };
    const inside = { full_attention: full, sliding_attention: { rope_type: 'default', rope_theta: 10_000 } };
    const beside = {
      full_attention: { rope_type: 'linear', factor: 8 },
      sliding_attention: { rope_type: 'default' },
    };
    const classic = readConfig({ ...GEMMA3_1B, rope_scaling: { rope_type: 'linear', factor: 8 } });
    expect(readConfig({ ...fresh, rope_parameters: beside })).toEqual(classic);
    expect(
      readConfig({
        ...fresh,
        rope_theta: undefined,
        rope_local_base_freq: undefined,
        rope_parameters: inside,
      }),
    ).toEqual(classic);
  });

  it.each(readdirSync(fixtures))('%s: both forms of config.json read the same; the parts add up', (name) => {
    const read = (file: string): unknown => JSON.parse(readFileSync(join(fixtures, name, file), 'utf8'));
    const config = readConfig(read('config.json'));
    expect(existsSync(join(fixtures, name, 'config.v5.json'))).toBe(true);
    expect(readConfig(read('config.v5.json'))).toEqual(config);
    const sizes = [...weightShapes(config).values()].map((shape) => shape.reduce((a, b) => a * b, 1));
    expect(parameterCount(config)).toBe(sizes.reduce((a, b) => a + b, 0));
  });

  it('Llama with attention_bias has a bias on o as well; Qwen2 never has', () => {
    expect(readConfig({ ...TINYLLAMA, attention_bias: true }).biased).toContain('o_proj');
    expect(readConfig({ ...R1_DISTILL_QWEN_1_5B, attention_bias: true }).biased).not.toContain('o_proj');
  });
});

describe('refusals', () => {
  const refusal = (json: unknown) => {
    try {
      readConfig(json);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return 'accepted';
  };

  it.each([
    ['MixtralForCausalLM', 'several experts'],
    ['Gemma3ForConditionalGeneration', 'reads images'],
    ['GPT2LMHeadModel', 'learned positions'],
    ['BertForMaskedLM', 'both directions'],
  ])('%s is named, with what is missing', (name, missing) => {
    const message = refusal({ ...TINYLLAMA, architectures: [name] });
    expect(message).toContain(name);
    expect(message).toContain(missing);
    expect(message).toContain('Phi3ForCausalLM');
  });

  it('an unknown architecture, one called like an object’s own method, and none', () => {
    expect(refusal({ ...TINYLLAMA, architectures: ['NewForCausalLM'] })).toContain('NewForCausalLM');
    expect(refusal({ ...TINYLLAMA, architectures: ['toString'] })).toContain('toString is not supported');
    expect(refusal({ ...TINYLLAMA, architectures: undefined })).toContain('(none named)');
  });

  it.each([
    [{ hidden_act: 'gelu' }, '"gelu"'],
    [{ mlp_bias: true }, 'feed-forward'],
    [{ rope_interleaved: true }, 'neighbouring pairs'],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, 'dynamic'],
    [{ rope_scaling: { rope_type: 'linear', factor: 2, finetuned: true } }, 'finetuned'],
    [{ rope_scaling: { rope_type: 'linear' } }, 'factor'],
    [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'original_max_position_embeddings'],
    [{ num_attention_heads: 30 }, 'head_dim must be a whole number'],
    [{ num_key_value_heads: 5 }, '32 heads cannot share 5'],
    [{ hidden_size: 2048.5 }, 'hidden_size'],
    [{ vocab_size: -1 }, 'vocab_size'],
  ])('a Llama with %j', (change, words) => {
    expect(refusal({ ...TINYLLAMA, ...change })).toContain(words);
  });

  it.each([
    [{ final_logit_softcapping: 30 }, 'final_logit_softcapping 30'],
    [{ attn_logit_softcapping: 50 }, 'attn_logit_softcapping 50'],
    [{ use_bidirectional_attention: true }, 'both directions'],
    [{ hidden_activation: 'gelu' }, '"gelu"'],
    [{ layer_types: ['full_attention'] }, '1 layer_types for 26 layers'],
    [{ layer_types: new Array<string>(26).fill('linear_attention') }, 'linear_attention'],
  ])('a Gemma with %j', (change, words) => {
    expect(refusal({ ...GEMMA3_1B, ...change })).toContain(words);
  });

  it.each([
    [{ long_factor: [1, 2] }, '16 numbers'],
    [{ short_factor: new Array<number>(16).fill(0) }, '16 numbers'],
    [{ short_mscale: 1.2 }, 'short_mscale'],
  ])('longrope with %j', (change, words) => {
    const scaling = { ...PHI_35_MINI_NARROW.rope_scaling, ...change };
    expect(refusal({ ...PHI_35_MINI_NARROW, rope_scaling: scaling })).toContain(words);
  });

  it('no_rope_layers that are not one flag a layer', () => {
    expect(refusal({ ...SMOLLM3_3B, no_rope_layers: [1, 0] })).toContain('36 layers');
  });
});
