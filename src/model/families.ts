/**
 * What distinguishes the families of decoders, as plain facts; `config.ts` puts a checkpoint's own numbers to them. Sources: the
 * configuration and modelling files of Hugging Face transformers. Also names well-known architectures that are not supported,
 * with what is missing.
 */
import type { Activation } from '../ops/glu';

export type Family = 'llama' | 'qwen2' | 'qwen3' | 'mistral' | 'smollm3' | 'phi3' | 'gemma3';

export interface FamilyFacts {
  family: Family;
  /** As people call it. */
  title: string;
  /** Biases of q, k, v (and of o, where config.json's attention_bias decides). */
  bias: 'none' | 'qkv' | 'by attention_bias';
  /** Each query and key head is normed before rope. */
  qkNorm: boolean;
  /** q, k, v are one matrix, and so are gate and up. */
  fused: boolean;
  /** Attention and feed-forward are normed on their way out as well as on their way in. */
  outputNorms: boolean;
  /** Added to every norm's gain: 1 where checkpoints keep the gain's distance from 1. */
  normOffset: 0 | 1;
  activation: Activation;
  activationKey: 'hidden_act' | 'hidden_activation';
  /** Embeddings are multiplied by √hidden. */
  scaledEmbedding: boolean;
  /** Scores are divided by √query_pre_attn_scalar, not by √head size. */
  ownAttentionScale: boolean;
  /** Which layers see a window only; see `readLayers` in config.ts. */
  window: 'none' | 'all' | 'from max_window_layers' | 'without rope' | 'pattern';
  /** Layers without rotary embedding exist. */
  ropelessLayers: boolean;
  /** Rope base of windowed layers where they have their own, as config.json's default. */
  localTheta: number | null;
  /** What config.json leaves out. */
  defaults: { ropeTheta: number; tied: boolean; headDim: number | null; contextLength: number };
}

const LLAMA: FamilyFacts = {
  family: 'llama',
  title: 'Llama',
  bias: 'by attention_bias',
  qkNorm: false,
  fused: false,
  outputNorms: false,
  normOffset: 0,
  activation: 'silu',
  activationKey: 'hidden_act',
  scaledEmbedding: false,
  ownAttentionScale: false,
  window: 'none',
  ropelessLayers: false,
  localTheta: null,
  defaults: { ropeTheta: 10_000, tied: false, headDim: null, contextLength: 2048 },
};

/** Facts by the name that config.json gives under `architectures`. */
export const ARCHITECTURES: Readonly<Record<string, FamilyFacts>> = {
  LlamaForCausalLM: LLAMA,
  MistralForCausalLM: { ...LLAMA, family: 'mistral', title: 'Mistral', bias: 'none', window: 'all' },
  Qwen2ForCausalLM: {
    ...LLAMA,
    family: 'qwen2',
    title: 'Qwen2',
    bias: 'qkv',
    window: 'from max_window_layers',
  },
  Qwen3ForCausalLM: {
    ...LLAMA,
    family: 'qwen3',
    title: 'Qwen3',
    qkNorm: true,
    window: 'from max_window_layers',
    defaults: { ...LLAMA.defaults, headDim: 128 },
  },
  SmolLM3ForCausalLM: {
    ...LLAMA,
    family: 'smollm3',
    title: 'SmolLM3',
    window: 'without rope',
    ropelessLayers: true,
    defaults: { ropeTheta: 2_000_000, tied: true, headDim: null, contextLength: 32_768 },
  },
  Phi3ForCausalLM: {
    ...LLAMA,
    family: 'phi3',
    title: 'Phi-3',
    bias: 'none',
    fused: true,
    window: 'all',
    defaults: { ...LLAMA.defaults, contextLength: 4096 },
  },
  Gemma3ForCausalLM: {
    ...LLAMA,
    family: 'gemma3',
    title: 'Gemma 3',
    qkNorm: true,
    outputNorms: true,
    normOffset: 1,
    activation: 'gelu_tanh',
    activationKey: 'hidden_activation',
    scaledEmbedding: true,
    ownAttentionScale: true,
    window: 'pattern',
    localTheta: 10_000,
    defaults: { ropeTheta: 1_000_000, tied: true, headDim: 256, contextLength: 131_072 },
  },
};

const EXPERTS = 'layers with several experts';
const IMAGES = 'the part that reads images';
const OLD_NORMS = 'layer norms with a bias and feed-forward layers without a gate';

/** What an architecture would need that is not there. */
const MISSING: Readonly<Record<string, string>> = {
  Gemma3ForConditionalGeneration: IMAGES,
  Gemma2ForCausalLM: 'soft-capped attention scores',
  MixtralForCausalLM: EXPERTS,
  Qwen2MoeForCausalLM: EXPERTS,
  Qwen3MoeForCausalLM: EXPERTS,
  PhimoeForCausalLM: EXPERTS,
  OlmoeForCausalLM: EXPERTS,
  GptOssForCausalLM: `${EXPERTS} and attention sinks`,
  DeepseekV2ForCausalLM: `${EXPERTS} and compressed keys and values`,
  DeepseekV3ForCausalLM: `${EXPERTS} and compressed keys and values`,
  Qwen2VLForConditionalGeneration: IMAGES,
  Qwen2_5_VLForConditionalGeneration: IMAGES,
  LlavaForConditionalGeneration: IMAGES,
  MllamaForConditionalGeneration: IMAGES,
  Mistral3ForConditionalGeneration: IMAGES,
  Llama4ForConditionalGeneration: `${EXPERTS} and ${IMAGES}`,
  PhiForCausalLM: OLD_NORMS,
  GPT2LMHeadModel: `${OLD_NORMS}, learned positions`,
  GPTNeoXForCausalLM: OLD_NORMS,
  FalconForCausalLM: OLD_NORMS,
  OPTForCausalLM: `${OLD_NORMS}, learned positions`,
  StableLmForCausalLM: 'layer norms with a bias',
  Starcoder2ForCausalLM: OLD_NORMS,
  OlmoForCausalLM: 'layer norms without a gain',
  Olmo2ForCausalLM: 'norms over all heads at once',
  CohereForCausalLM: 'attention and feed-forward side by side',
  GraniteForCausalLM: 'its multipliers on embeddings, residuals and logits',
  MambaForCausalLM: 'state-space layers',
  Qwen3NextForCausalLM: `linear attention and ${EXPERTS}`,
  T5ForConditionalGeneration: 'an encoder beside the decoder',
  BertForMaskedLM: 'attention in both directions',
};

/** A family as people call it. */
export function titleOf(family: Family): string {
  const facts = Object.values(ARCHITECTURES).find((one) => one.family === family);
  if (!facts) throw new Error(`There is no family ${family}.`);
  return facts.title;
}

/** Throws a sentence that names the architecture and, where it is known, what is missing. */
export function factsOf(architecture: string): FamilyFacts {
  const facts = Object.hasOwn(ARCHITECTURES, architecture) ? ARCHITECTURES[architecture] : undefined;
  if (facts) return facts;
  const missing = Object.hasOwn(MISSING, architecture) ? MISSING[architecture] : undefined;
  throw new Error(
    `The architecture ${architecture || '(none named)'} is not supported` +
      (missing === undefined ? '' : `: ${missing} would be needed`) +
      `. Supported: ${Object.keys(ARCHITECTURES).join(', ')}.`,
  );
}
