/** Names and shapes of a model's linear layers and the number of its parameters, from its config alone. */
import type { Target } from '../protocol/settings';
import { outsideFormat, type WeightFormat } from '../protocol/weightFormats';
import type { ModelConfig } from './config';

/** The linear layers of a block, in the order in which they run. */
export function targetsOf(config: Pick<ModelConfig, 'fused'>): readonly Target[] {
  return config.fused
    ? ['qkv_proj', 'o_proj', 'gate_up_proj', 'down_proj']
    : ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
}

/** The products of a block, in the order in which they run. Layers that read the same input are one, packed row by row. */
export const PROJECTIONS = ['qkv_proj', 'o_proj', 'gate_up_proj', 'down_proj'] as const;
export type Projection = (typeof PROJECTIONS)[number];

/** The layers that lie one below the other in a projection: itself alone where the checkpoint keeps it as one. */
export function membersOf({ fused }: Pick<ModelConfig, 'fused'>, projection: Projection): readonly Target[] {
  if (fused) return [projection];
  if (projection === 'qkv_proj') return ['q_proj', 'k_proj', 'v_proj'];
  return projection === 'gate_up_proj' ? ['gate_proj', 'up_proj'] : [projection];
}

/** The layer of this model that holds what `target` names: Phi-3 keeps q, k and v in qkv_proj, gate and up in gate_up_proj. */
export function targetIn(config: Pick<ModelConfig, 'fused'>, target: Target): Target {
  if (!config.fused) return target;
  if (target === 'q_proj' || target === 'k_proj' || target === 'v_proj') return 'qkv_proj';
  return target === 'gate_proj' || target === 'up_proj' ? 'gate_up_proj' : target;
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
    case 'qkv_proj':
      return { out: (heads + 2 * kvHeads) * headDim, in: hidden };
    case 'o_proj':
      return { out: hidden, in: heads * headDim };
    case 'gate_proj':
    case 'up_proj':
      return { out: ffn, in: hidden };
    case 'gate_up_proj':
      return { out: 2 * ffn, in: hidden };
    case 'down_proj':
      return { out: hidden, in: ffn };
  }
}

/** `model.layers.0.self_attn.q_proj`, as checkpoints and PEFT name it. */
export function linearName(layer: number, target: Target): string {
  const block = /^(gate|up|down)/.test(target) ? 'mlp' : 'self_attn';
  return `model.layers.${layer}.${block}.${target}`;
}

/** A layer's norms by their place in it: before attention and feed-forward, on their results, over query and key heads. */
export type NormNames = Record<'attention' | 'feedForward', string> &
  Partial<Record<'attentionOut' | 'feedForwardOut' | 'query' | 'key', string>>;

/** As checkpoints name them. Where results are normed too, post_attention_layernorm is that norm. */
export function normNames({ outputNorms, qkNorm }: ModelConfig): NormNames {
  return {
    attention: 'input_layernorm',
    ...(outputNorms
      ? {
          feedForward: 'pre_feedforward_layernorm',
          attentionOut: 'post_attention_layernorm',
          feedForwardOut: 'post_feedforward_layernorm',
        }
      : { feedForward: 'post_attention_layernorm' }),
    ...(qkNorm ? { query: 'self_attn.q_norm', key: 'self_attn.k_norm' } : {}),
  };
}

/** Names of a layer's norms over query and key heads, which lie one below the other as [2, d]. */
export function headNormNames(config: ModelConfig, layer: number): string[] {
  const { query, key } = normNames(config);
  return query && key ? [query, key].map((name) => `model.layers.${layer}.${name}.weight`) : [];
}

/** Names and shapes that a checkpoint must have. The one list that loading, saving and full fine-tuning read. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const { vocab, hidden, headDim } = config;
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocab, hidden]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const at = `model.layers.${layer}`;
    for (const name of Object.values(normNames(config)))
      shapes.set(`${at}.${name}.weight`, [name.startsWith('self_attn') ? headDim : hidden]);
    for (const target of targetsOf(config)) {
      const { out, in: width } = linearShape(config, target);
      shapes.set(`${linearName(layer, target)}.weight`, [out, width]);
      if (config.biased.includes(target)) shapes.set(`${linearName(layer, target)}.bias`, [out]);
    }
  }
  shapes.set('model.norm.weight', [hidden]);
  if (!config.tied) shapes.set('lm_head.weight', [vocab, hidden]);
  return shapes;
}

/** The format of a tensor of a model whose layers are to be in `format`. */
export function formatOfTensor(name: string, format: WeightFormat): WeightFormat {
  return name.startsWith('model.layers.') ? format : outsideFormat(format);
}

export interface ParameterParts {
  embedding: number;
  /** 0 when the head is the embedding. */
  head: number;
  /** Matrices of all layers. */
  linear: number;
  /** Norms and biases. */
  vectors: number;
}

export function parameterParts(config: ModelConfig): ParameterParts {
  const { vocab, hidden, layers, headDim } = config;
  let linear = 0;
  let vectors = hidden * (config.outputNorms ? 4 : 2) + (config.qkNorm ? 2 * headDim : 0);
  for (const target of targetsOf(config)) {
    const { out, in: width } = linearShape(config, target);
    linear += out * width;
    if (config.biased.includes(target)) vectors += out;
  }
  return {
    embedding: vocab * hidden,
    head: config.tied ? 0 : vocab * hidden,
    linear: layers * linear,
    vectors: layers * vectors + hidden,
  };
}

export function parameterCount(config: ModelConfig): number {
  const { embedding, head, linear, vectors } = parameterParts(config);
  return embedding + head + linear + vectors;
}
