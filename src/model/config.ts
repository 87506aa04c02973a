/** Reads a checkpoint's config.json. A family is a set of facts here, not a class. Old and new key styles are read. */
import type { Target } from '../protocol/settings';

export type Family = 'llama' | 'qwen2' | 'qwen3' | 'mistral';

/** Frequency bands of Llama 3's long-context rope. */
export interface Llama3Scaling {
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalLength: number;
}

export interface ModelConfig {
  family: Family;
  vocab: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  ffn: number;
  normEpsilon: number;
  ropeTheta: number;
  ropeScaling: Llama3Scaling | null;
  /** Keys a query sees, itself included; null for all before it. */
  slidingWindow: number | null;
  /** The head shares the embedding's weights. */
  tied: boolean;
  qkvBias: boolean;
  /** Each query and key head is normed before rope. */
  qkNorm: boolean;
  contextLength: number;
  stopIds: number[];
}

const ARCHITECTURES: Record<string, Family> = {
  LlamaForCausalLM: 'llama',
  Qwen2ForCausalLM: 'qwen2',
  Qwen3ForCausalLM: 'qwen3',
  MistralForCausalLM: 'mistral',
};

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Throws a sentence that names what is missing or not supported. */
export function readConfig(json: unknown): ModelConfig {
  if (!isObject(json)) throw new Error('config.json does not hold an object.');
  const architecture = Array.isArray(json['architectures']) ? String(json['architectures'][0]) : '';
  const family = ARCHITECTURES[architecture];
  if (!family)
    throw new Error(
      `The architecture ${architecture || '(none named)'} is not supported. Supported: ${Object.keys(ARCHITECTURES).join(', ')}.`,
    );
  if (json['hidden_act'] !== undefined && json['hidden_act'] !== 'silu')
    throw new Error(`The activation ${JSON.stringify(json['hidden_act'])} is not supported; silu is.`);
  if (json['mlp_bias'] === true) throw new Error('Biases in the feed-forward layers are not supported.');
  const heads = number(json, 'num_attention_heads');
  const hidden = number(json, 'hidden_size');
  const config: ModelConfig = {
    family,
    vocab: number(json, 'vocab_size'),
    hidden,
    layers: number(json, 'num_hidden_layers'),
    heads,
    kvHeads: number(json, 'num_key_value_heads', heads),
    headDim: number(json, 'head_dim', hidden / heads),
    ffn: number(json, 'intermediate_size'),
    normEpsilon: number(json, 'rms_norm_eps', 1e-6),
    ...readRope(json),
    slidingWindow: readWindow(json, family),
    tied: json['tie_word_embeddings'] === true,
    qkvBias: family === 'qwen2' || json['attention_bias'] === true,
    qkNorm: family === 'qwen3',
    contextLength: number(json, 'max_position_embeddings', 2048),
    stopIds: [json['eos_token_id']].flat().filter((id): id is number => typeof id === 'number'),
  };
  if (config.heads % config.kvHeads !== 0)
    throw new Error(`${config.heads} heads cannot share ${config.kvHeads} key-value heads.`);
  if (config.headDim % 4 !== 0) throw new Error(`A head size of ${config.headDim} is not a multiple of 4.`);
  return config;
}

function number(json: Json, key: string, otherwise?: number): number {
  const value = json[key] ?? otherwise;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    throw new Error(`config.json has no usable ${key} (found ${JSON.stringify(json[key])}).`);
  return value;
}

function readRope(json: Json): { ropeTheta: number; ropeScaling: Llama3Scaling | null } {
  const fresh = isObject(json['rope_parameters']) ? json['rope_parameters'] : {};
  const scaling = isObject(json['rope_scaling']) ? json['rope_scaling'] : fresh;
  const ropeTheta = number({ rope_theta: fresh['rope_theta'] ?? json['rope_theta'] }, 'rope_theta', 10_000);
  const named = scaling['rope_type'] ?? scaling['type'] ?? 'default';
  const type = typeof named === 'string' ? named : JSON.stringify(named);
  if (type === 'default') return { ropeTheta, ropeScaling: null };
  if (type !== 'llama3')
    throw new Error(`The rope scaling ${type} is not supported; default and llama3 are.`);
  return {
    ropeTheta,
    ropeScaling: {
      factor: number(scaling, 'factor'),
      lowFreqFactor: number(scaling, 'low_freq_factor'),
      highFreqFactor: number(scaling, 'high_freq_factor'),
      originalLength: number(scaling, 'original_max_position_embeddings'),
    },
  };
}

/** Qwen names a window that is off unless `use_sliding_window` says so. */
function readWindow(json: Json, family: Family): number | null {
  const window = json['sliding_window'];
  if (typeof window !== 'number') return null;
  if (family !== 'mistral' && json['use_sliding_window'] !== true) return null;
  return window;
}

/** Output and input width of a target. */
export function linearShape(config: ModelConfig, target: Target): { out: number; in: number } {
  const { hidden, ffn, heads, kvHeads, headDim } = config;
  switch (target) {
    case 'q_proj':
      return { out: heads * headDim, in: hidden };
    case 'k_proj':
    case 'v_proj':
      return { out: kvHeads * headDim, in: hidden };
    case 'o_proj':
      return { out: hidden, in: heads * headDim };
    case 'gate_proj':
    case 'up_proj':
      return { out: ffn, in: hidden };
    case 'down_proj':
      return { out: hidden, in: ffn };
  }
}

/** `model.layers.0.self_attn.q_proj`, as checkpoints and PEFT name it. */
export function linearName(layer: number, target: Target): string {
  const block = /^(gate|up|down)/.test(target) ? 'mlp' : 'self_attn';
  return `model.layers.${layer}.${block}.${target}`;
}

export function parameterCount(config: ModelConfig): number {
  const { vocab, hidden, layers, heads, kvHeads, headDim, ffn } = config;
  const attention =
    hidden * headDim * (2 * heads + 2 * kvHeads) + (config.qkvBias ? headDim * (heads + 2 * kvHeads) : 0);
  const norms = 2 * hidden + (config.qkNorm ? 2 * headDim : 0);
  return vocab * hidden * (config.tied ? 1 : 2) + layers * (attention + norms + 3 * hidden * ffn) + hidden;
}
