/**
 * Reads a checkpoint's config.json, in its classic and its transformers 5 form: `families.ts` holds the facts of each family, this
 * file the checkpoint's own numbers and the shapes that follow from them.
 */
import type { Activation } from '../ops/glu';
import type { NormAttrs } from '../ops/rmsNorm';
import type { Target } from '../protocol/settings';
import { count, isObject, optional, positive, type Json } from './configValues';
import { factsOf, type Family, type FamilyFacts } from './families';
import { readRope, ropeParts, type Rope } from './ropeConfig';

/** How a layer looks at other tokens. */
export interface LayerKind {
  /** Keys a query sees, itself included; null for all before it. */
  window: number | null;
  /** null: no rotary embedding. */
  rope: Rope | null;
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
  norm: NormAttrs;
  activation: Activation;
  /** The different kinds of layers, most models have one. */
  kinds: LayerKind[];
  /** [layers]: index into `kinds` */
  kindOf: number[];
  /** The head shares the embedding's weights. */
  tied: boolean;
  /** Linear layers that have a bias. */
  biased: readonly Target[];
  /** Each query and key head is normed before rope. */
  qkNorm: boolean;
  /** q, k, v are one matrix, and so are gate and up. */
  fused: boolean;
  /** Attention and feed-forward are normed on their way out as well as on their way in. */
  outputNorms: boolean;
  /** Embeddings are multiplied by this. */
  embeddingScale: number;
  /** Scores are multiplied by this. */
  attentionScale: number;
  contextLength: number;
  stopIds: number[];
}

/** The deepest known has 126. Lists of this length are made before any tensor is looked at. */
const MOST_LAYERS = 1024;

/** Throws a sentence that names what is missing or not supported. */
export function readConfig(json: unknown): ModelConfig {
  if (!isObject(json)) throw new Error('config.json does not hold an object.');
  const architectures: unknown = json['architectures'];
  const facts = factsOf(Array.isArray(architectures) ? String(architectures[0]) : '');
  refuse(json, facts);
  const heads = count(json, 'num_attention_heads');
  const hidden = count(json, 'hidden_size');
  const layers = count(json, 'num_hidden_layers');
  if (layers > MOST_LAYERS)
    throw new Error(`config.json says ${layers} layers; at most ${MOST_LAYERS} are read.`);
  const headDim = count(json, 'head_dim', facts.defaults.headDim ?? hidden / heads);
  const config: ModelConfig = {
    family: facts.family,
    vocab: count(json, 'vocab_size'),
    hidden,
    layers,
    heads,
    kvHeads: count(json, 'num_key_value_heads', heads),
    headDim,
    ffn: count(json, 'intermediate_size'),
    norm: { epsilon: positive(json, 'rms_norm_eps', 1e-6), offset: facts.normOffset },
    activation: facts.activation,
    ...readLayers(json, facts, layers, headDim),
    tied:
      typeof json['tie_word_embeddings'] === 'boolean' ? json['tie_word_embeddings'] : facts.defaults.tied,
    biased: readBiases(json, facts),
    qkNorm: facts.qkNorm,
    fused: facts.fused,
    outputNorms: facts.outputNorms,
    embeddingScale: facts.scaledEmbedding ? Math.sqrt(hidden) : 1,
    attentionScale:
      1 / Math.sqrt(facts.ownAttentionScale ? positive(json, 'query_pre_attn_scalar', 256) : headDim),
    contextLength: count(json, 'max_position_embeddings', facts.defaults.contextLength),
    stopIds: [json['eos_token_id']].flat().filter((id): id is number => typeof id === 'number'),
  };
  if (config.heads % config.kvHeads !== 0)
    throw new Error(`${config.heads} heads cannot share ${config.kvHeads} key-value heads.`);
  if (config.headDim % 4 !== 0) throw new Error(`A head size of ${config.headDim} is not a multiple of 4.`);
  return config;
}

/** What config.json may ask for and the decoder does not do. */
function refuse(json: Json, { activation, activationKey }: FamilyFacts): void {
  const wanted = activation === 'silu' ? 'silu' : 'gelu_pytorch_tanh';
  const found = json[activationKey] ?? wanted;
  if (found !== wanted)
    throw new Error(`The activation ${JSON.stringify(found)} is not supported; ${wanted} is.`);
  if (json['mlp_bias'] === true) throw new Error('Biases in the feed-forward layers are not supported.');
  if (json['rope_interleaved'] === true) throw new Error('Rope over neighbouring pairs is not supported.');
  if (json['use_bidirectional_attention'] === true)
    throw new Error('Attention in both directions is not supported.');
  for (const key of ['final_logit_softcapping', 'attn_logit_softcapping'])
    if (typeof json[key] === 'number')
      throw new Error(`config.json asks for ${key} ${json[key]}, which is not supported.`);
}

function readBiases(json: Json, { bias }: FamilyFacts): Target[] {
  if (bias === 'qkv') return ['q_proj', 'k_proj', 'v_proj'];
  if (bias === 'none' || json['attention_bias'] !== true) return [];
  return ['q_proj', 'k_proj', 'v_proj', 'o_proj'];
}

function readLayers(
  json: Json,
  facts: FamilyFacts,
  layers: number,
  headDim: number,
): Pick<ModelConfig, 'kinds' | 'kindOf'> {
  const contextLength = positive(json, 'max_position_embeddings', facts.defaults.contextLength);
  const longropeNames = facts.family === 'phi3' ? ['su', 'yarn'] : [];
  const defaults = { theta: facts.defaults.ropeTheta, headDim, contextLength, longropeNames };
  const parts = ropeParts(json);
  const global = readRope(json, parts.global, defaults);
  let local = global;
  if (facts.localTheta !== null) {
    const theta = optional(json, 'rope_local_base_freq') ?? facts.localTheta;
    // the classic form has no scaling for windowed layers, and rope_theta there is the other layers'
    local = readRope({}, parts.local ?? { rope_theta: theta }, { ...defaults, theta });
  }
  const window = readWindow(json, facts);
  const turned = readTurned(json, facts, layers);
  const windowed = readWindowed(json, facts, layers, turned);
  const all = turned.map((turns, layer): LayerKind => {
    const narrow = window !== null && windowed[layer] === true;
    return { window: narrow ? window : null, rope: turns ? (narrow ? local : global) : null };
  });
  const texts = all.map((kind) => JSON.stringify(kind));
  const distinct = [...new Set(texts)];
  return {
    kinds: distinct.map((text) => all[texts.indexOf(text)]).filter((kind) => kind !== undefined),
    kindOf: texts.map((text) => distinct.indexOf(text)),
  };
}

/** Keys a windowed layer sees; null where no layer has a window. */
function readWindow(json: Json, { window }: FamilyFacts): number | null {
  if (window === 'none') return null;
  if (window === 'all') return optional(json, 'sliding_window');
  if (window === 'pattern') return count(json, 'sliding_window', 4096);
  // Qwen and SmolLM3 name a window that is off unless `use_sliding_window` says so
  return json['use_sliding_window'] === true ? count(json, 'sliding_window', 4096) : null;
}

/** [layers]: whether the layer turns queries and keys. `no_rope_layers` holds 1 where it does. */
function readTurned(json: Json, facts: FamilyFacts, layers: number): boolean[] {
  if (!facts.ropelessLayers) return new Array<boolean>(layers).fill(true);
  const given: unknown = json['no_rope_layers'];
  if (given === undefined || given === null) {
    const interval = count(json, 'no_rope_layer_interval', 4);
    return Array.from({ length: layers }, (_, layer) => (layer + 1) % interval !== 0);
  }
  if (!Array.isArray(given) || given.length !== layers || given.some((one) => one !== 0 && one !== 1))
    throw new Error(`config.json's no_rope_layers must be 0 or 1 for each of ${layers} layers.`);
  return given.map((one) => one === 1);
}

/** [layers]: whether the layer is one of those with a window */
function readWindowed(json: Json, { window }: FamilyFacts, layers: number, turned: boolean[]): boolean[] {
  if (window === 'none' || window === 'all') return new Array<boolean>(layers).fill(window === 'all');
  const types: unknown = json['layer_types'];
  if (Array.isArray(types)) {
    if (types.length !== layers)
      throw new Error(`config.json names ${types.length} layer_types for ${layers} layers.`);
    return types.map((type: unknown) => {
      if (type !== 'sliding_attention' && type !== 'full_attention')
        throw new Error(`The layer type ${JSON.stringify(type)} is not supported.`);
      return type === 'sliding_attention';
    });
  }
  if (window === 'without rope') return turned.map((turns) => !turns);
  if (window === 'from max_window_layers') {
    const from = typeof json['max_window_layers'] === 'number' ? json['max_window_layers'] : 28;
    return Array.from({ length: layers }, (_, layer) => layer >= from);
  }
  const every = optional(json, 'sliding_window_pattern') ?? optional(json, '_sliding_window_pattern') ?? 6;
  return Array.from({ length: layers }, (_, layer) => (layer + 1) % every !== 0);
}
