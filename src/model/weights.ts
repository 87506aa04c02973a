/** A model's weights on the device, by their checkpoint names. Matrices may be f16, vectors are f32. */
import * as tf from '@tensorflow/tfjs-core';
import type { WeightSource } from '../checkpoint/source';
import { WeightBuilder } from '../checkpoint/upload';
import { TARGETS, type Target } from '../protocol/settings';
import { disposeWeight, type FrozenWeight, type Weight } from '../ops/weight';
import { outsideFormat, type WeightFormat } from '../protocol/weightFormats';
import { linearName, linearShape, type ModelConfig } from './config';

export interface LayerWeights {
  inputNorm: tf.Tensor;
  postNorm: tf.Tensor;
  /** Qwen3: gains of the norm over each query and key head. */
  qNorm: tf.Tensor | null;
  kNorm: tf.Tensor | null;
  linear: Record<Target, Weight>;
  /** Biases of q, k, v where the family has them. */
  bias: Partial<Record<Target, tf.Tensor>>;
}

export interface ModelWeights {
  embedding: Weight;
  layers: LayerWeights[];
  norm: tf.Tensor;
  /** The embedding itself when tied. */
  head: Weight;
}

/** Names and shapes that a checkpoint must have. The one list that loading, saving and full fine-tuning read. */
export function weightShapes(config: ModelConfig): Map<string, number[]> {
  const { vocab, hidden, headDim } = config;
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocab, hidden]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const at = `model.layers.${layer}`;
    shapes.set(`${at}.input_layernorm.weight`, [hidden]);
    shapes.set(`${at}.post_attention_layernorm.weight`, [hidden]);
    if (config.qkNorm)
      for (const name of ['q_norm', 'k_norm']) shapes.set(`${at}.self_attn.${name}.weight`, [headDim]);
    for (const target of TARGETS) {
      const { out, in: width } = linearShape(config, target);
      shapes.set(`${linearName(layer, target)}.weight`, [out, width]);
      if (hasBias(config, target)) shapes.set(`${linearName(layer, target)}.bias`, [out]);
    }
  }
  shapes.set('model.norm.weight', [hidden]);
  if (!config.tied) shapes.set('lm_head.weight', [vocab, hidden]);
  return shapes;
}

function hasBias(config: ModelConfig, target: Target): boolean {
  return config.qkvBias && ['q_proj', 'k_proj', 'v_proj'].includes(target);
}

/** Checks every shape before the first byte goes to the device. */
export function checkShapes(config: ModelConfig, source: WeightSource): void {
  const present = new Set(source.names());
  for (const [name, shape] of weightShapes(config)) {
    if (!present.has(name))
      throw new Error(`The checkpoint has no tensor ${name}, which its config.json asks for.`);
    const found = source.shape(name);
    if (found.join() !== shape.join())
      throw new Error(
        `${name} is ${found.join(' × ')} in the checkpoint; config.json says ${shape.join(' × ')}.`,
      );
  }
}

export async function loadWeights(
  config: ModelConfig,
  source: WeightSource,
  format: WeightFormat,
  progress: (done: number, total: number) => void = () => undefined,
): Promise<ModelWeights> {
  checkShapes(config, source);
  const total = weightShapes(config).size;
  let done = 0;
  const read = async (name: string) => {
    const values = await source.read(name);
    progress(++done, total);
    return values;
  };
  const vector = async (name: string) => tf.tensor1d(await read(name));
  const matrix = async (name: string, wish = format): Promise<Weight> => {
    const [n = 0, k = 0] = source.shape(name);
    return makeWeight(await read(name), n, k, wish);
  };

  const embedding = await matrix('model.embed_tokens.weight', outsideFormat(format));
  const layers: LayerWeights[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const at = `model.layers.${layer}`;
    const linear: Partial<Record<Target, Weight>> = {};
    const bias: Partial<Record<Target, tf.Tensor>> = {};
    for (const target of TARGETS) {
      linear[target] = await matrix(`${linearName(layer, target)}.weight`);
      if (hasBias(config, target)) bias[target] = await vector(`${linearName(layer, target)}.bias`);
    }
    layers.push({
      inputNorm: await vector(`${at}.input_layernorm.weight`),
      postNorm: await vector(`${at}.post_attention_layernorm.weight`),
      qNorm: config.qkNorm ? await vector(`${at}.self_attn.q_norm.weight`) : null,
      kNorm: config.qkNorm ? await vector(`${at}.self_attn.k_norm.weight`) : null,
      linear: linear as Record<Target, Weight>,
      bias,
    });
  }
  const norm = await vector('model.norm.weight');
  const head = config.tied ? embedding : await matrix('lm_head.weight', outsideFormat(format));
  return { embedding, layers, norm, head };
}

/** A frozen matrix out of numbers in memory. */
export function makeWeight(values: Float32Array, n: number, k: number, format: WeightFormat): FrozenWeight {
  const builder = new WeightBuilder(format, n, k);
  builder.putValues(0, values);
  return builder.finish();
}

export function disposeWeights(weights: ModelWeights): void {
  const tensors = weights.layers.flatMap((layer) => [
    layer.inputNorm,
    layer.postNorm,
    ...[layer.qNorm, layer.kNorm].filter((tensor) => tensor !== null),
    ...Object.values(layer.bias),
  ]);
  tf.dispose([...tensors, weights.norm]);
  const matrices = weights.layers.flatMap((layer) => Object.values(layer.linear));
  // a tied head is the embedding itself
  for (const weight of new Set([...matrices, weights.embedding, weights.head])) disposeWeight(weight);
}
