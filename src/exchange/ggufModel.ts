/**
 * A whole model as one GGUF file of F32 weights, so that llama.cpp can open the small models that come with the page and
 * run an adapter over them. Not for large models: everything is held in memory at once.
 */
import { FormatError } from '../checkpoint/safetensors';
import type { WeightSource } from '../checkpoint/source';
import { linearName, type Llama3Scaling, type ModelConfig } from '../model/config';
import type { ChatAssets } from '../protocol/data';
import { TARGETS, type Target } from '../protocol/settings';
import { GGUF_LAYER, ggufArchitecture, pairedHeads } from './gguf';
import { ggufTokenizer } from './ggufTokenizer';
import { writeGguf, type GgufTensor, type GgufValue } from './ggufWriter';
import { joinPairs } from './ropeRows';

export async function writeGgufModel(
  model: ModelConfig,
  weights: WeightSource,
  assets: ChatAssets,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors: GgufTensor[] = [];
  const add = async (from: string, to: string) => {
    tensors.push({ name: to, shape: weights.shape(from), values: await weights.read(from) });
  };
  await add('model.embed_tokens.weight', 'token_embd.weight');
  await add('model.norm.weight', 'output_norm.weight');
  // Without it llama.cpp uses the embedding, which is what tied means.
  if (!model.tied) await add('lm_head.weight', 'output.weight');
  if (model.ropeScaling) tensors.push(ropeFactors(model, model.ropeScaling));
  for (let layer = 0; layer < model.layers; layer++) {
    const from = `model.layers.${layer}`;
    const to = `blk.${layer}`;
    await add(`${from}.input_layernorm.weight`, `${to}.attn_norm.weight`);
    await add(`${from}.post_attention_layernorm.weight`, `${to}.ffn_norm.weight`);
    if (model.qkNorm) {
      await add(`${from}.self_attn.q_norm.weight`, `${to}.attn_q_norm.weight`);
      await add(`${from}.self_attn.k_norm.weight`, `${to}.attn_k_norm.weight`);
    }
    for (const target of TARGETS) {
      tensors.push(await linear(model, weights, layer, target, 'weight'));
      if (hasBias(model, target)) tensors.push(await linear(model, weights, layer, target, 'bias'));
    }
  }
  return writeGguf(new Map([...modelKeys(model, name), ...ggufTokenizer(assets)]), tensors);
}

function modelKeys(model: ModelConfig, name: string): [string, GgufValue][] {
  const architecture = ggufArchitecture(model);
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const f32 = (value: number): GgufValue => ({ type: 'f32', value });
  const ofArchitecture: Record<string, GgufValue> = {
    block_count: u32(model.layers),
    context_length: u32(model.contextLength),
    embedding_length: u32(model.hidden),
    feed_forward_length: u32(model.ffn),
    vocab_size: u32(model.vocab),
    'attention.head_count': u32(model.heads),
    'attention.head_count_kv': u32(model.kvHeads),
    'attention.key_length': u32(model.headDim),
    'attention.value_length': u32(model.headDim),
    'attention.layer_norm_rms_epsilon': f32(model.normEpsilon),
    'rope.dimension_count': u32(model.headDim),
    'rope.freq_base': f32(model.ropeTheta),
  };
  return [
    ['general.architecture', { type: 'string', value: architecture }],
    ['general.type', { type: 'string', value: 'model' }],
    ['general.name', { type: 'string', value: name }],
    ['general.file_type', u32(0)],
    ...Object.entries(ofArchitecture).map(([key, value]): [string, GgufValue] => [
      `${architecture}.${key}`,
      value,
    ]),
  ];
}

function hasBias(model: ModelConfig, target: Target): boolean {
  return model.qkvBias && (target === 'q_proj' || target === 'k_proj' || target === 'v_proj');
}

async function linear(
  model: ModelConfig,
  weights: WeightSource,
  layer: number,
  target: Target,
  part: 'weight' | 'bias',
): Promise<GgufTensor> {
  const from = `${linearName(layer, target)}.${part}`;
  const shape = weights.shape(from);
  const values = await weights.read(from);
  const heads = pairedHeads(model, target);
  const ordered = heads === null ? values : joinPairs(values, rowsOf(from, shape), heads);
  return { name: `blk.${layer}.${GGUF_LAYER[target]}.${part}`, shape, values: ordered };
}

function rowsOf(name: string, shape: number[]): number {
  const [rows] = shape;
  if (!rows) throw new FormatError(`${name} has the shape [${shape.join(', ')}], which has no rows.`);
  return rows;
}

/** What llama.cpp divides each rotary frequency by: 1 for fast ones, `factor` for slow ones, a blend between. */
function ropeFactors(model: ModelConfig, scaling: Llama3Scaling): GgufTensor {
  const { factor, lowFreqFactor, highFreqFactor, originalLength } = scaling;
  const values = Float32Array.from({ length: model.headDim / 2 }, (_, i) => {
    const turns = originalLength / (2 * Math.PI * model.ropeTheta ** ((2 * i) / model.headDim));
    if (turns > highFreqFactor) return 1;
    if (turns < lowFreqFactor) return factor;
    const blend = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return 1 / ((1 - blend) / factor + blend);
  });
  return { name: 'rope_freqs.weight', shape: [values.length], values };
}
