/**
 * What differs between the architectures of GGUF files that are read: how their tensors are called and lie, and the part of
 * config.json that is their own. (llama.cpp: conversion/, src/models/)
 */
import { FormatError } from '../safetensors';
import type { Metadata } from './metadata';
import { GGUF_LINEAR, GGUF_NORM, type LayerParts } from './names';
import { shortest } from './shortest';

/** What the tensors say that no key does. */
export interface GgufFacts {
  /** Rows of the embedding. */
  vocab: number;
  /** There is no output matrix. */
  tied: boolean;
  /** Query layers have a bias. */
  attentionBias: boolean;
  /** rope_freqs, rope_factors_long, rope_factors_short: what each rotary frequency is divided by. */
  ropeFactors: ReadonlyMap<string, Float32Array>;
}

/** Sizes that were read from the keys. */
export interface GgufSizes {
  hidden: number;
  layers: number;
  heads: number;
  headDim: number;
  /** Numbers of a head that rope turns. */
  turned: number;
  contextLength: number;
}

export interface GgufArchitecture {
  /** As config.json says it. */
  name: string;
  type: string;
  parts: LayerParts;
  /** Query and key rows lie in pairs; see ropeRows.ts. */
  pairedRows: boolean;
  /** Norms lie with 1 added to what Hugging Face keeps. */
  wholeGains: boolean;
  /** Keys of config.json that only this architecture has. `key` puts the architecture before a name. */
  own(metadata: Metadata, key: (name: string) => string, sizes: GgufSizes, facts: GgufFacts): object;
}

const ATTENTION = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'qkv_proj'];

function partsOf(
  linear: (keyof typeof GGUF_LINEAR)[],
  norms: [keyof typeof GGUF_NORM, string][],
): LayerParts {
  return new Map<string, string>([
    ...linear.map((name): [string, string] => [
      GGUF_LINEAR[name],
      `${ATTENTION.includes(name) ? 'self_attn' : 'mlp'}.${name}`,
    ]),
    ...norms.map(([place, name]): [string, string] => [GGUF_NORM[place], name]),
  ]);
}

const SEPARATE = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
const FUSED = ['qkv_proj', 'o_proj', 'gate_up_proj', 'down_proj'] as const;
const INNER_NORMS: [keyof typeof GGUF_NORM, string][] = [
  ['attention', 'input_layernorm'],
  ['feedForward', 'post_attention_layernorm'],
];
const HEAD_NORMS: [keyof typeof GGUF_NORM, string][] = [
  ['query', 'self_attn.q_norm'],
  ['key', 'self_attn.k_norm'],
];

const SILU = () => ({ hidden_act: 'silu' });
const LLAMA: GgufArchitecture = {
  name: 'LlamaForCausalLM',
  type: 'llama',
  parts: partsOf([...SEPARATE], INNER_NORMS),
  pairedRows: true,
  wholeGains: false,
  own: SILU,
};

/** By general.architecture. llama.cpp runs Mistral as llama. */
export const GGUF_ARCHITECTURES: Readonly<Record<string, GgufArchitecture>> = {
  llama: LLAMA,
  qwen2: { ...LLAMA, name: 'Qwen2ForCausalLM', type: 'qwen2', pairedRows: false },
  qwen3: {
    ...LLAMA,
    name: 'Qwen3ForCausalLM',
    type: 'qwen3',
    pairedRows: false,
    parts: partsOf([...SEPARATE], [...INNER_NORMS, ...HEAD_NORMS]),
  },
  smollm3: {
    ...LLAMA,
    name: 'SmolLM3ForCausalLM',
    type: 'smollm3',
    // no key says which layers do not turn: llama.cpp has every fourth in its code (src/models/smollm3.cpp)
    own: () => ({ hidden_act: 'silu', no_rope_layer_interval: 4 }),
  },
  phi3: {
    ...LLAMA,
    name: 'Phi3ForCausalLM',
    type: 'phi3',
    parts: partsOf([...FUSED], INNER_NORMS),
    pairedRows: false,
    own: phi3,
  },
  gemma3: {
    name: 'Gemma3ForCausalLM',
    type: 'gemma3_text',
    parts: partsOf(
      [...SEPARATE],
      [
        ['attention', 'input_layernorm'],
        ['attentionOut', 'post_attention_layernorm'],
        ['feedForward', 'pre_feedforward_layernorm'],
        ['feedForwardOut', 'post_feedforward_layernorm'],
        ...HEAD_NORMS,
      ],
    ),
    pairedRows: false,
    wholeGains: true,
    own: gemma3,
  },
};

/**
 * Long-context factors lie in two tensors, their sharpening in a key. A window of 0 means none; llama.cpp leaves out that of Phi-3,
 * with which the model was trained.
 */
function phi3(
  metadata: Metadata,
  key: (name: string) => string,
  { headDim, turned, contextLength }: GgufSizes,
  { ropeFactors }: GgufFacts,
): object {
  const windowKey = key('attention.sliding_window');
  const window = (metadata.number(windowKey) ?? 0) === 0 ? null : metadata.size(windowKey);
  const original = metadata.number(key('rope.scaling.original_context_length')) ?? contextLength;
  const long = ropeFactors.get('rope_factors_long');
  const short = ropeFactors.get('rope_factors_short');
  if ((long === undefined) !== (short === undefined))
    throw new FormatError('The file holds one of rope_factors_long and rope_factors_short; both are needed.');
  const sharpening = metadata.number(key('rope.scaling.attn_factor'));
  return {
    hidden_act: 'silu',
    sliding_window: window,
    partial_rotary_factor: turned / headDim,
    original_max_position_embeddings: original,
    ...(long && short
      ? {
          rope_scaling: {
            type: 'longrope',
            short_factor: [...short].map(shortest),
            long_factor: [...long].map(shortest),
            ...(sharpening === undefined || follows(sharpening, contextLength / original, original)
              ? {}
              : { attention_factor: sharpening }),
          },
        }
      : {}),
  };
}

/** Whether the two lengths give the same factor, which config.json then leaves out. (Ding et al., arXiv 2402.13753) */
function follows(sharpening: number, scale: number, original: number): boolean {
  const own = scale > 1 ? Math.sqrt(1 + Math.log(scale) / Math.log(original)) : 1;
  return Math.fround(own) === Math.fround(sharpening);
}

/** Layers of Gemma 3's largest, whose scores are scaled by hidden / heads instead of the head size. */
const LARGEST_GEMMA = 62;

/** Every sixth layer sees everything where no key says otherwise; windowed layers turn by a base of their own. */
function gemma3(
  metadata: Metadata,
  key: (name: string) => string,
  { hidden, layers, heads, headDim }: GgufSizes,
): object {
  const patternKey = key('attention.sliding_window_pattern');
  const softcap = metadata.number(key('final_logit_softcapping'));
  return {
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar: layers === LARGEST_GEMMA ? hidden / heads : headDim,
    rope_local_base_freq: shortest(metadata.number(key('rope.freq_base_swa')) ?? 10_000),
    sliding_window: metadata.size(key('attention.sliding_window')),
    sliding_window_pattern: metadata.number(patternKey) === undefined ? 6 : metadata.size(patternKey),
    // refused by name when the config is read
    ...(softcap === undefined ? {} : { final_logit_softcapping: softcap }),
  };
}
