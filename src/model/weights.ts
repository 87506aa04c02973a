/** A model's weights on the device: matrices in a form of protocol/weightFormats.ts, vectors as f32. Not how they get there. */
import * as tf from '@tensorflow/tfjs-core';
import { WeightBuilder } from '../checkpoint/upload';
import { disposeWeight, type FrozenWeight, type Weight } from '../ops/weight';
import type { WeightFormat } from '../protocol/weightFormats';
import type { ModelConfig } from './config';
import { headNormNames, linearName, membersOf, normNames, PROJECTIONS, type Projection } from './shapes';

/** Gains of a layer's norms, null where the family has none. */
export interface LayerNorms {
  /** Before attention and before the feed-forward part. */
  attention: tf.Tensor;
  feedForward: tf.Tensor;
  /** On their results, before these are added to the residual. */
  attentionOut: tf.Tensor | null;
  feedForwardOut: tf.Tensor | null;
  /** [2, d]: over each query head and each key head. */
  heads: tf.Tensor | null;
}

export interface LayerWeights {
  norms: LayerNorms;
  linear: Record<Projection, Weight>;
  bias: Partial<Record<Projection, tf.Tensor>>;
}

export interface ModelWeights {
  embedding: Weight;
  layers: LayerWeights[];
  norm: tf.Tensor;
  /** The embedding itself when tied. */
  head: Weight;
}

/** The norms of a layer, each from its name in the checkpoint; those over heads come together. */
export function layerNorms(
  config: ModelConfig,
  layer: number,
  tensor: (name: string) => tf.Tensor,
  heads: tf.Tensor | null,
): LayerNorms {
  const names = normNames(config);
  const at = (name: string) => tensor(`model.layers.${layer}.${name}.weight`);
  const where = (name: string | undefined) => (name === undefined ? null : at(name));
  return {
    attention: at(names.attention),
    feedForward: at(names.feedForward),
    attentionOut: where(names.attentionOut),
    feedForwardOut: where(names.feedForwardOut),
    heads,
  };
}

/** Where the parts of a model come from, by their names in the checkpoint. */
export interface WeightParts {
  vector(name: string): tf.Tensor;
  /** Vectors end to end. */
  joined(names: string[]): tf.Tensor;
  /** Vectors one below the other. */
  stacked(names: string[]): tf.Tensor;
  /** The matrices `members` one below the other, under a name of its own. */
  matrix(name: string, members: string[]): Weight;
}

/** Puts a model together. */
export function weightsOf(
  config: ModelConfig,
  { vector, joined, stacked, matrix }: WeightParts,
): ModelWeights {
  const alone = (name: string) => matrix(name, [name]);
  const embedding = alone('model.embed_tokens.weight');
  const layers: LayerWeights[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const named = (projection: Projection, end: string) =>
      membersOf(config, projection).map((target) => `${linearName(layer, target)}.${end}`);
    const of = (projection: Projection) => matrix(linearName(layer, projection), named(projection, 'weight'));
    const linear = {
      ...{ qkv_proj: of('qkv_proj'), o_proj: of('o_proj') },
      ...{ gate_up_proj: of('gate_up_proj'), down_proj: of('down_proj') },
    };
    const bias: LayerWeights['bias'] = {};
    for (const projection of PROJECTIONS) {
      if (membersOf(config, projection).some((target) => config.biased.includes(target)))
        bias[projection] = joined(named(projection, 'bias'));
    }
    const heads = headNormNames(config, layer);
    const norms = layerNorms(config, layer, vector, heads.length > 0 ? stacked(heads) : null);
    layers.push({ norms, linear, bias });
  }
  const norm = vector('model.norm.weight');
  return { embedding, layers, norm, head: config.tied ? embedding : alone('lm_head.weight') };
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
