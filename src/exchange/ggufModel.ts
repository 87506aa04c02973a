/**
 * A whole model as one GGUF file of F32 weights, so that llama.cpp can open the small models that come with the page and
 * run an adapter over them. Not for large models: everything is held in memory at once.
 */
import { GGUF_LINEAR, GGUF_NORM } from '../checkpoint/gguf/names';
import { divisorsOf } from '../checkpoint/gguf/ropeScaling';
import { FormatError } from '../checkpoint/safetensors';
import type { WeightSource } from '../checkpoint/source';
import type { ModelConfig } from '../model/config';
import type { Rope, RopeScaling } from '../model/ropeConfig';
import { linearName, normNames, targetsOf, type NormNames } from '../model/shapes';
import type { ChatAssets } from '../protocol/data';
import type { Target } from '../protocol/settings';
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
  const addNorm = async (from: string, to: string) => {
    const values = await weights.read(from);
    // llama.cpp holds whole gains
    tensors.push({ name: to, shape: weights.shape(from), values: values.map((g) => g + model.norm.offset) });
  };
  const rope = ropeOf(model);
  await add('model.embed_tokens.weight', 'token_embd.weight');
  await addNorm('model.norm.weight', 'output_norm.weight');
  // Without it llama.cpp uses the embedding, which is what tied means.
  if (!model.tied) await add('lm_head.weight', 'output.weight');
  if (rope.scaling) tensors.push(ropeFactors(rope, rope.scaling));
  for (let layer = 0; layer < model.layers; layer++) {
    for (const [place, name] of Object.entries(normNames(model)))
      await addNorm(
        `model.layers.${layer}.${name}.weight`,
        `blk.${layer}.${GGUF_NORM[place as keyof NormNames]}.weight`,
      );
    for (const target of targetsOf(model)) {
      tensors.push(await linear(model, weights, layer, target, 'weight'));
      if (model.biased.includes(target)) tensors.push(await linear(model, weights, layer, target, 'bias'));
    }
  }
  return writeGguf(new Map([...modelKeys(model, rope, name), ...ggufTokenizer(assets)]), tensors);
}

type WritableScaling = Extract<RopeScaling, { type: 'llama3' }> | null;

/** The rope of layers that see everything. llama.cpp derives from the architecture which layers turn and which have a window. */
function ropeOf(model: ModelConfig): Rope & { scaling: WritableScaling } {
  const kinds = model.kindOf.map((kind) => model.kinds[kind]);
  const every = model.family === 'gemma3' ? 6 : model.family === 'smollm3' ? 4 : null;
  kinds.forEach((kind, layer) => {
    const special = every !== null && (layer + 1) % every === 0;
    const fits =
      model.family === 'gemma3'
        ? (kind?.window === null) === special && (special || kind?.rope?.theta === 10_000)
        : (kind?.rope === null) === special;
    if (!fits)
      throw new FormatError(`llama.cpp sees layer ${layer} of this model otherwise than its config.json.`);
  });
  const rope = kinds.find((kind) => kind?.rope && (model.family !== 'gemma3' || kind.window === null))?.rope;
  if (!rope) throw new FormatError('This model has no layer with rope that sees everything.');
  const { scaling } = rope;
  if (scaling && scaling.type !== 'llama3')
    throw new FormatError(`A model with ${scaling.type} rope cannot be written as GGUF here.`);
  return { ...rope, scaling };
}

function modelKeys(model: ModelConfig, rope: Rope, name: string): [string, GgufValue][] {
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
    'attention.layer_norm_rms_epsilon': f32(model.norm.epsilon),
    'rope.dimension_count': u32(rope.dim),
    'rope.freq_base': f32(rope.theta),
  };
  const window = model.kinds.find((kind) => kind.window !== null)?.window;
  if (model.family === 'gemma3' && window) ofArchitecture['attention.sliding_window'] = u32(window);
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
function ropeFactors({ theta, dim }: Rope, scaling: NonNullable<WritableScaling>): GgufTensor {
  const named = {
    rope_type: 'llama3' as const,
    factor: scaling.factor,
    low_freq_factor: scaling.lowFreqFactor,
    high_freq_factor: scaling.highFreqFactor,
    original_max_position_embeddings: scaling.originalLength,
  };
  const values = divisorsOf(named, theta, dim / 2);
  return { name: 'rope_freqs.weight', shape: [values.length], values };
}
