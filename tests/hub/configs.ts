/** config.json of models people use, as their repositories have them, and a tiny one; with the tokenizer of the page's lesson. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Synthetic } from './synthetic';

const shared = { hidden_act: 'silu', torch_dtype: 'bfloat16', rope_theta: 1e6, rms_norm_eps: 1e-6 };
const qwen2 = {
  ...shared,
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  tie_word_embeddings: true,
};

const CONFIGS = {
  'Qwen/Qwen2.5-0.5B': {
    ...qwen2,
    ...{ hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24, num_attention_heads: 14 },
    ...{ num_key_value_heads: 2, vocab_size: 151936, max_position_embeddings: 32768 },
  },
  'Qwen/Qwen3-0.6B': {
    ...shared,
    ...{ architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3', tie_word_embeddings: true, head_dim: 128 },
    ...{ hidden_size: 1024, intermediate_size: 3072, num_hidden_layers: 28, num_attention_heads: 16 },
    ...{ num_key_value_heads: 8, vocab_size: 151936, max_position_embeddings: 40960 },
  },
  'meta-llama/Llama-3.2-1B': {
    ...shared,
    ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', tie_word_embeddings: true, head_dim: 64 },
    ...{ hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16, num_attention_heads: 32 },
    ...{ num_key_value_heads: 8, vocab_size: 128256, max_position_embeddings: 131072 },
    ...{ rms_norm_eps: 1e-5, rope_theta: 500000 },
    rope_scaling: {
      ...{ rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 8192,
    },
  },
  'mistralai/Mistral-7B-v0.3': {
    ...shared,
    ...{ architectures: ['MistralForCausalLM'], model_type: 'mistral', tie_word_embeddings: false },
    ...{ hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32, num_attention_heads: 32 },
    ...{ num_key_value_heads: 8, vocab_size: 32768, max_position_embeddings: 32768, rms_norm_eps: 1e-5 },
  },
  /** 1.3 million parameters: enough for several pieces and chunks of a few hundred kilobytes. */
  'tiny/Tiny-Qwen': {
    ...qwen2,
    ...{ hidden_size: 128, intermediate_size: 256, num_hidden_layers: 4, num_attention_heads: 4 },
    ...{ num_key_value_heads: 2, vocab_size: 4096, max_position_embeddings: 512 },
  },
} satisfies Record<string, Record<string, unknown>>;

export type KnownModel = keyof typeof CONFIGS;
export const KNOWN = Object.keys(CONFIGS) as KnownModel[];

/** The lesson's tokenizer: its ids lie within every one of these vocabularies. */
export function synthetic(model: KnownModel, seed = 1): Synthetic {
  const folder = resolve('public/demo/models/llama');
  const text = (name: string) => readFileSync(resolve(folder, name), 'utf8');
  const { eos_token_id } = JSON.parse(text('generation_config.json')) as { eos_token_id: unknown };
  return {
    config: { ...CONFIGS[model], eos_token_id },
    texts: {
      'tokenizer.json': text('tokenizer.json'),
      'tokenizer_config.json': text('tokenizer_config.json'),
      'generation_config.json': text('generation_config.json'),
    },
    seed,
    ...(model.startsWith('mistralai') ? { shardBytes: 5e9 } : {}),
  };
}
