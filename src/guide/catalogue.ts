/**
 * Models that are known to work, from 135 million to 8 billion parameters. A list of suggestions: any other repository works if its
 * architecture does. The config facts are those of the repository's own config.json that fix sizes; a run reads the file itself. Sizes are
 * computed from them, not measured. Copies that need no account come first.
 */
import { readConfig, type ModelConfig } from '../model/config';
import { titleOf } from '../model/families';
import { parameterCount, parameterParts } from '../model/shapes';
import type { Bytes } from '../units';

/** Bytes of one weight of a matrix on the GPU: q8 has a 2-byte scale per 32, q4 a scale and an offset, nf4 a scale per 64. */
export const BYTES_PER_WEIGHT = { f32: 4, f16: 2, q8: 1.0625, q4: 0.625, nf4: 0.53125 } as const;
export type CatalogueFormat = keyof typeof BYTES_PER_WEIGHT;

export type Licence = 'Apache-2.0' | 'MIT' | 'Llama 3.2' | 'Gemma';

/** Keys of config.json that fix the sizes of a model. */
interface SizeFacts {
  architectures: [string];
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim?: number;
  max_position_embeddings: number;
  tie_word_embeddings: boolean;
}

export interface CatalogueModel {
  /** Repository on the hub. */
  id: string;
  name: string;
  licence: Licence;
  /** The hub asks for an account and consent before it sends the weights. */
  gated: boolean;
  /** What it is good for, in one sentence. */
  use: string;
  facts: SizeFacts;
  /** The files hold the head a second time although it is the embedding. */
  storedHead?: true;
}

const qwen2 = { architectures: ['Qwen2ForCausalLM'], vocab_size: 151_936 } satisfies Partial<SizeFacts>;
const qwen3 = {
  architectures: ['Qwen3ForCausalLM'],
  vocab_size: 151_936,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 40_960,
} satisfies Partial<SizeFacts>;
const smollm2 = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 49_152,
  head_dim: 64,
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
} satisfies Partial<SizeFacts>;
const llama32 = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 128_256,
  intermediate_size: 8192,
  num_key_value_heads: 8,
  max_position_embeddings: 131_072,
  tie_word_embeddings: true,
} satisfies Partial<SizeFacts>;
const gemma3 = {
  architectures: ['Gemma3ForCausalLM'],
  vocab_size: 262_144,
  num_attention_heads: 4,
  num_key_value_heads: 1,
  head_dim: 256,
  max_position_embeddings: 32_768,
  tie_word_embeddings: true,
} satisfies Partial<SizeFacts>;

const LLAMA_32_1B: SizeFacts = {
  ...llama32,
  hidden_size: 2048,
  num_hidden_layers: 16,
  num_attention_heads: 32,
  head_dim: 64,
};

export const CATALOGUE: readonly CatalogueModel[] = [
  {
    id: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    name: 'SmolLM2 135M Instruct',
    licence: 'Apache-2.0',
    gated: false,
    use: 'The quickest real model to try things on; learns one narrow task, such as a label or a fixed form.',
    facts: {
      ...smollm2,
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
    },
  },
  {
    id: 'unsloth/gemma-3-270m-it',
    name: 'Gemma 3 270M',
    licence: 'Gemma',
    gated: false,
    use: 'Made to be tuned for one task; most of it is a vocabulary for many languages.',
    facts: { ...gemma3, hidden_size: 640, intermediate_size: 2048, num_hidden_layers: 18 },
  },
  {
    id: 'HuggingFaceTB/SmolLM2-360M-Instruct',
    name: 'SmolLM2 360M Instruct',
    licence: 'Apache-2.0',
    gated: false,
    use: 'Short English answers, rewriting and extraction on laptops with little memory.',
    facts: {
      ...smollm2,
      hidden_size: 960,
      intermediate_size: 2560,
      num_hidden_layers: 32,
      num_attention_heads: 15,
      num_key_value_heads: 5,
    },
  },
  {
    id: 'Qwen/Qwen2.5-0.5B-Instruct',
    name: 'Qwen2.5 0.5B Instruct',
    licence: 'Apache-2.0',
    gated: false,
    use: 'A good first choice: many languages, structured output, small enough for most laptops.',
    facts: {
      ...qwen2,
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      max_position_embeddings: 32_768,
      tie_word_embeddings: true,
    },
  },
  {
    id: 'Qwen/Qwen3-0.6B',
    name: 'Qwen3 0.6B',
    licence: 'Apache-2.0',
    gated: false,
    use: 'Can think before it answers or answer at once; many languages.',
    facts: {
      ...qwen3,
      hidden_size: 1024,
      intermediate_size: 3072,
      num_hidden_layers: 28,
      num_attention_heads: 16,
      tie_word_embeddings: true,
    },
    storedHead: true,
  },
  {
    id: 'unsloth/gemma-3-1b-it',
    name: 'Gemma 3 1B',
    licence: 'Gemma',
    gated: false,
    use: 'Fluent short texts in many languages.',
    facts: { ...gemma3, hidden_size: 1152, intermediate_size: 6912, num_hidden_layers: 26 },
  },
  {
    id: 'TinyLlama/TinyLlama-1.1B-Chat-v1.0',
    name: 'TinyLlama 1.1B Chat',
    licence: 'Apache-2.0',
    gated: false,
    use: 'The Llama 2 form at a small size: much documented, good for lessons.',
    facts: {
      architectures: ['LlamaForCausalLM'],
      vocab_size: 32_000,
      hidden_size: 2048,
      intermediate_size: 5632,
      num_hidden_layers: 22,
      num_attention_heads: 32,
      num_key_value_heads: 4,
      max_position_embeddings: 2048,
      tie_word_embeddings: false,
    },
  },
  {
    id: 'unsloth/Llama-3.2-1B-Instruct',
    name: 'Llama 3.2 1B Instruct',
    licence: 'Llama 3.2',
    gated: false,
    use: 'Dialogue and summaries; supported by nearly every other tool.',
    facts: LLAMA_32_1B,
  },
  {
    id: 'Qwen/Qwen2.5-1.5B-Instruct',
    name: 'Qwen2.5 1.5B Instruct',
    licence: 'Apache-2.0',
    gated: false,
    use: 'Extraction, classification and answers in a fixed form, in many languages.',
    facts: {
      ...qwen2,
      hidden_size: 1536,
      intermediate_size: 8960,
      num_hidden_layers: 28,
      num_attention_heads: 12,
      num_key_value_heads: 2,
      max_position_embeddings: 32_768,
      tie_word_embeddings: true,
    },
  },
  {
    id: 'HuggingFaceTB/SmolLM2-1.7B-Instruct',
    name: 'SmolLM2 1.7B Instruct',
    licence: 'Apache-2.0',
    gated: false,
    use: 'English writing, rewriting and summaries.',
    facts: {
      ...smollm2,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 24,
      num_attention_heads: 32,
      num_key_value_heads: 32,
    },
  },
  {
    id: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B',
    name: 'DeepSeek R1 Distill Qwen 1.5B',
    licence: 'MIT',
    gated: false,
    use: 'Reasons step by step before it answers, mostly on mathematics.',
    facts: {
      ...qwen2,
      hidden_size: 1536,
      intermediate_size: 8960,
      num_hidden_layers: 28,
      num_attention_heads: 12,
      num_key_value_heads: 2,
      max_position_embeddings: 131_072,
      tie_word_embeddings: false,
    },
  },
  {
    id: 'HuggingFaceTB/SmolLM3-3B',
    name: 'SmolLM3 3B',
    licence: 'Apache-2.0',
    gated: false,
    use: 'Six European languages and long texts, with an openly documented training.',
    facts: {
      architectures: ['SmolLM3ForCausalLM'],
      vocab_size: 128_256,
      hidden_size: 2048,
      intermediate_size: 11_008,
      num_hidden_layers: 36,
      num_attention_heads: 16,
      num_key_value_heads: 4,
      max_position_embeddings: 65_536,
      tie_word_embeddings: true,
    },
  },
  {
    id: 'unsloth/Llama-3.2-3B-Instruct',
    name: 'Llama 3.2 3B Instruct',
    licence: 'Llama 3.2',
    gated: false,
    use: 'Dialogue, summaries and rewriting where 1B falls short.',
    facts: {
      ...llama32,
      hidden_size: 3072,
      num_hidden_layers: 28,
      num_attention_heads: 24,
      head_dim: 128,
    },
  },
  {
    id: 'microsoft/Phi-3.5-mini-instruct',
    name: 'Phi-3.5 mini Instruct',
    licence: 'MIT',
    gated: false,
    use: 'Reasoning and questions over texts, mainly in English.',
    facts: {
      architectures: ['Phi3ForCausalLM'],
      vocab_size: 32_064,
      hidden_size: 3072,
      intermediate_size: 8192,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 32,
      max_position_embeddings: 131_072,
      tie_word_embeddings: false,
    },
  },
  {
    id: 'Qwen/Qwen3-4B',
    name: 'Qwen3 4B',
    licence: 'Apache-2.0',
    gated: false,
    use: 'Thinks or answers at once; many languages, for machines with 8 GB of graphics memory.',
    facts: {
      ...qwen3,
      hidden_size: 2560,
      intermediate_size: 9728,
      num_hidden_layers: 36,
      num_attention_heads: 32,
      tie_word_embeddings: true,
    },
  },
  {
    id: 'unsloth/mistral-7b-instruct-v0.3',
    name: 'Mistral 7B Instruct v0.3',
    licence: 'Apache-2.0',
    gated: false,
    use: 'General answers and writing; needs a strong graphics card.',
    facts: {
      architectures: ['MistralForCausalLM'],
      vocab_size: 32_768,
      hidden_size: 4096,
      intermediate_size: 14_336,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      max_position_embeddings: 32_768,
      tie_word_embeddings: false,
    },
  },
  {
    id: 'Qwen/Qwen2.5-7B-Instruct',
    name: 'Qwen2.5 7B Instruct',
    licence: 'Apache-2.0',
    gated: false,
    use: 'The largest here: many languages and structured output, for a strong graphics card.',
    facts: {
      ...qwen2,
      vocab_size: 152_064,
      hidden_size: 3584,
      intermediate_size: 18_944,
      num_hidden_layers: 28,
      num_attention_heads: 28,
      num_key_value_heads: 4,
      max_position_embeddings: 32_768,
      tie_word_embeddings: false,
    },
  },
  {
    id: 'meta-llama/Llama-3.2-1B-Instruct',
    name: 'Llama 3.2 1B Instruct (Meta’s own copy)',
    licence: 'Llama 3.2',
    gated: true,
    use: 'The same model from its maker, for those who have accepted its terms.',
    facts: LLAMA_32_1B,
  },
];

/** The model's config as far as sizes go: rope, windows and stop tokens are the repository's own to tell. */
export function sizesOf({ facts }: CatalogueModel): ModelConfig {
  return readConfig(facts);
}

export function familyOf(model: CatalogueModel): string {
  return titleOf(sizesOf(model).family);
}

export function parametersOf(model: CatalogueModel): number {
  return parameterCount(sizesOf(model));
}

/** Computed: two bytes for each number stored, as bf16 safetensors hold it; the tokenizer's few megabytes are not in it. */
export function downloadBytes(model: CatalogueModel): Bytes {
  const config = sizesOf(model);
  const twice = model.storedHead ? config.vocab * config.hidden : 0;
  return 2 * (parameterCount(config) + twice);
}

/** Frozen weights on the GPU: matrices, embedding and head in the format, norms and biases in f32. */
export function weightBytes(config: ModelConfig, format: CatalogueFormat): Bytes {
  const { embedding, head, linear, vectors } = parameterParts(config);
  return (embedding + head + linear) * BYTES_PER_WEIGHT[format] + 4 * vectors;
}
