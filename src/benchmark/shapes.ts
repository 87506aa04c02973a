/** Sizes that the benchmarks use: those of Qwen2.5-0.5B, and small ones for the twins. Numbers only; no weights. */
import { readConfig, type ModelConfig } from '../model/config';

const QWEN = {
  architectures: ['Qwen2ForCausalLM'],
  hidden_size: 896,
  intermediate_size: 4864,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  num_hidden_layers: 24,
  vocab_size: 151_936,
  rope_theta: 1_000_000,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 32_768,
  tie_word_embeddings: true,
};

/** Qwen2.5-0.5B, 494 million weights. */
export const qwen = (changes: Record<string, unknown> = {}): ModelConfig =>
  readConfig({ ...QWEN, ...changes });

/** The same kind of layer, small enough to be judged on the processor. */
export const smallQwen = (changes: Record<string, unknown> = {}): ModelConfig =>
  qwen({
    hidden_size: 64,
    intermediate_size: 192,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    num_hidden_layers: 1,
    vocab_size: 256,
    max_position_embeddings: 256,
    ...changes,
  });

export const RANK = 8;
