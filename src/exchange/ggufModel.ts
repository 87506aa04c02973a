/**
 * A whole model as one GGUF file of F32 weights, so that llama.cpp can open the small models that come with the page and
 * run an adapter over them. Not for large models: everything is held in memory at once.
 */
import { GGUF_LINEAR, GGUF_NORM, GGUF_OUTSIDE } from '../checkpoint/gguf/names';
import { divisorsOf } from '../checkpoint/gguf/ropeScaling';
import { FormatError } from '../checkpoint/safetensors';
import type { WeightSource } from '../checkpoint/source';
import { linearName, type Llama3Scaling, type ModelConfig } from '../model/config';
import type { ChatAssets } from '../protocol/data';
import { TARGETS, type Target } from '../protocol/settings';
import { ggufArchitecture, pairedHeads } from './gguf';
import { ggufTokenizer } from './ggufTokenizer';
import { writeGguf, type GgufTensor, type GgufValue } from '../checkpoint/gguf/writer';
import { joinPairs } from '../checkpoint/gguf/ropeRows';

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
  for (const [from, to] of Object.entries(GGUF_OUTSIDE)) {
    // Without a head llama.cpp uses the embedding, which is what tied means.
    if (from !== 'lm_head.weight' || !model.tied) await add(from, to);
  }
  if (model.ropeScaling) tensors.push(ropeFactors(model, model.ropeScaling));
  for (let layer = 0; layer < model.layers; layer++) {
    const from = `model.layers.${layer}`;
    const to = `blk.${layer}`;
    for (const [name, norm] of Object.entries(GGUF_NORM)) {
      if (!name.startsWith('self_attn') || model.qkNorm)
        await add(`${from}.${name}.weight`, `${to}.${norm}.weight`);
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
  return { name: `blk.${layer}.${GGUF_LINEAR[target]}.${part}`, shape, values: ordered };
}

function rowsOf(name: string, shape: number[]): number {
  const [rows] = shape;
  if (!rows) throw new FormatError(`${name} has the shape [${shape.join(', ')}], which has no rows.`);
  return rows;
}

/** What llama.cpp divides each rotary frequency by. */
function ropeFactors(model: ModelConfig, scaling: Llama3Scaling): GgufTensor {
  const named = {
    rope_type: 'llama3' as const,
    factor: scaling.factor,
    low_freq_factor: scaling.lowFreqFactor,
    high_freq_factor: scaling.highFreqFactor,
    original_max_position_embeddings: scaling.originalLength,
  };
  const values = divisorsOf(named, model.ropeTheta, model.headDim / 2);
  return { name: 'rope_freqs.weight', shape: [values.length], values };
}
