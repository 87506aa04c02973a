/** A model's weights on the device, by their checkpoint names. Matrices may be f16, vectors are f32. */
import * as tf from '@tensorflow/tfjs-core';
import type { WeightSource } from '../checkpoint/source';
import { WeightBuilder } from '../checkpoint/upload';
import { disposeWeight, type FrozenWeight, type Weight } from '../ops/weight';
import type { Target } from '../protocol/settings';
import { outsideFormat, type WeightFormat } from '../protocol/weightFormats';
import type { ModelConfig } from './config';
import { linearName, linearShape, normNames, targetsOf } from './shapes';

/** Gains of a layer's norms, null where the family has none. */
export interface LayerNorms {
  /** Before attention and before the feed-forward part. */
  attention: tf.Tensor;
  feedForward: tf.Tensor;
  /** On their results, before these are added to the residual. */
  attentionOut: tf.Tensor | null;
  feedForwardOut: tf.Tensor | null;
  /** Over each query and key head. */
  query: tf.Tensor | null;
  key: tf.Tensor | null;
}

export interface LayerWeights {
  norms: LayerNorms;
  /** The layers of `targetsOf`. */
  linear: Partial<Record<Target, Weight>>;
  bias: Partial<Record<Target, tf.Tensor>>;
}

/** The weight of a layer that the family has. */
export function linearOf({ linear }: LayerWeights, target: Target): Weight {
  const weight = linear[target];
  if (!weight) throw new Error(`This model has no layer ${target}.`);
  return weight;
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

/** The norms of a layer, each from its name in the checkpoint. */
export function layerNorms(
  config: ModelConfig,
  layer: number,
  tensor: (name: string) => tf.Tensor,
): LayerNorms {
  const names = normNames(config);
  const at = (name: string) => tensor(`model.layers.${layer}.${name}.weight`);
  const where = (name: string | undefined) => (name === undefined ? null : at(name));
  return {
    attention: at(names.attention),
    feedForward: at(names.feedForward),
    attentionOut: where(names.attentionOut),
    feedForwardOut: where(names.feedForwardOut),
    query: where(names.query),
    key: where(names.key),
  };
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
    const linear: Partial<Record<Target, Weight>> = {};
    const bias: Partial<Record<Target, tf.Tensor>> = {};
    for (const target of targetsOf(config)) {
      linear[target] = await matrix(`${linearName(layer, target)}.weight`);
      if (config.biased.includes(target)) bias[target] = await vector(`${linearName(layer, target)}.bias`);
    }
    const gains = new Map<string, tf.Tensor>();
    for (const name of Object.values(normNames(config))) {
      const whole = `model.layers.${layer}.${name}.weight`;
      gains.set(whole, await vector(whole));
    }
    const gain = (name: string) => {
      const tensor = gains.get(name);
      if (!tensor) throw new Error(`${name} was not loaded.`);
      return tensor;
    };
    layers.push({ norms: layerNorms(config, layer, gain), linear, bias });
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
    ...Object.values<tf.Tensor | null>({ ...layer.norms }).filter((tensor) => tensor !== null),
    ...Object.values(layer.bias),
  ]);
  tf.dispose([...tensors, weights.norm]);
  const matrices = weights.layers.flatMap((layer) => Object.values(layer.linear));
  // a tied head is the embedding itself
  for (const weight of new Set([...matrices, weights.embedding, weights.head])) disposeWeight(weight);
}
