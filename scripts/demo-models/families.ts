/** The three tiny base models as config.json files: real architectures, about a million parameters each. */
import { END_OF_TEXT, TURN_END, VOCABULARY } from './tokenizerFiles';

const common = {
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  vocab_size: VOCABULARY,
  max_position_embeddings: 512,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  rope_scaling: null,
  initializer_range: 0.02,
  attention_bias: false,
  attention_dropout: 0,
  use_cache: true,
  torch_dtype: 'float16',
  eos_token_id: TURN_END,
  pad_token_id: END_OF_TEXT,
};

export interface DemoFamily {
  id: 'llama' | 'qwen' | 'mistral';
  name: string;
  family: string;
  config: Record<string, unknown>;
}

export const FAMILIES: DemoFamily[] = [
  {
    id: 'llama',
    name: 'Tiny Llama',
    family: 'Llama',
    config: {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      ...common,
      mlp_bias: false,
      tie_word_embeddings: true,
    },
  },
  {
    id: 'qwen',
    name: 'Tiny Qwen',
    family: 'Qwen3',
    config: {
      architectures: ['Qwen3ForCausalLM'],
      model_type: 'qwen3',
      ...common,
      tie_word_embeddings: true,
    },
  },
  {
    id: 'mistral',
    name: 'Tiny Mistral',
    family: 'Mistral',
    config: {
      architectures: ['MistralForCausalLM'],
      model_type: 'mistral',
      ...common,
      sliding_window: 64,
      tie_word_embeddings: false,
    },
  },
];
