/** Models known to work, with what a person needs to choose one before anything is fetched. Facts of the hub's own pages. */
import type { Bytes } from '../units';

export interface CatalogueModel {
  repository: string;
  name: string;
  family: string;
  parameters: number;
  licence: string;
  gated: boolean;
  downloadBytes: Bytes;
  /** config.json, as far as it is read. */
  config: unknown;
}

export const catalogue: readonly CatalogueModel[] = [
  {
    repository: 'Qwen/Qwen2.5-0.5B-Instruct',
    name: 'Qwen2.5 0.5B Instruct',
    family: 'Qwen2.5',
    parameters: 494_032_768,
    licence: 'apache-2.0',
    gated: false,
    downloadBytes: 995_130_128,
    config: {
      architectures: ['Qwen2ForCausalLM'],
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      vocab_size: 151936,
      max_position_embeddings: 32768,
      tie_word_embeddings: true,
    },
  },
  {
    repository: 'unsloth/Llama-3.2-1B-Instruct',
    name: 'Llama 3.2 1B Instruct',
    family: 'Llama 3.2',
    parameters: 1_235_814_400,
    licence: 'llama3.2',
    gated: false,
    downloadBytes: 2_489_000_000,
    config: {
      architectures: ['LlamaForCausalLM'],
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 16,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 64,
      vocab_size: 128256,
      max_position_embeddings: 131072,
      tie_word_embeddings: true,
    },
  },
  {
    repository: 'mistralai/Mistral-7B-Instruct-v0.3',
    name: 'Mistral 7B Instruct v0.3',
    family: 'Mistral',
    parameters: 7_248_023_552,
    licence: 'apache-2.0',
    gated: true,
    downloadBytes: 14_500_000_000,
    config: {
      architectures: ['MistralForCausalLM'],
      hidden_size: 4096,
      intermediate_size: 14336,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      vocab_size: 32768,
      max_position_embeddings: 32768,
      tie_word_embeddings: false,
    },
  },
];
