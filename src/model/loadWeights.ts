/** Brings a checkpoint's weights onto the device, piece by piece, after its names and shapes were held against config.json. */
import * as tf from '@tensorflow/tfjs-core';
import { decode } from '../checkpoint/planes';
import type { WeightSource } from '../checkpoint/source';
import { WeightBuilder } from '../checkpoint/upload';
import { writesDone } from '../gpu/memory';
import { disposeWeight, type Weight } from '../ops/weight';
import type { Target } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import type { ModelConfig } from './config';
import { formatOfTensor, linearName, targetsOf, weightShapes } from './shapes';
import { layerNorms, type LayerWeights, type ModelWeights } from './weights';

/** In layers of old checkpoints, computed again from config.json. */
const COMPUTED = /\.rotary_emb\.inv_freq$/;

/**
 * Checks names and shapes before the first byte goes to the device. A layer's tensor that the decoder would not read is refused
 * too: a bias or a norm left out shows only as a model that answers a little worse.
 */
export function checkShapes(config: ModelConfig, source: WeightSource): void {
  const present = new Set(source.names());
  const wanted = weightShapes(config);
  const foreign = [...present].find(
    (name) => name.startsWith('model.layers.') && !wanted.has(name) && !COMPUTED.test(name),
  );
  if (foreign !== undefined)
    throw new Error(
      `The checkpoint holds ${foreign}, which a ${config.family} model of ${config.layers} layers does not have. ` +
        'Its config.json may belong to another model.',
    );
  for (const [name, shape] of wanted) {
    if (!present.has(name))
      throw new Error(`The checkpoint has no tensor ${name}, which its config.json asks for.`);
    const found = source.shape(name);
    if (found.join() !== shape.join())
      throw new Error(
        `${name} is ${found.join(' × ')} in the checkpoint; config.json says ${shape.join(' × ')}.`,
      );
  }
}

/** Streams the weights onto the device in the order in which they lie; never holds more than a few rows. */
export async function loadWeights(
  config: ModelConfig,
  source: WeightSource,
  format: WeightFormat,
  progress: (done: number, total: number) => void = () => undefined,
): Promise<ModelWeights> {
  checkShapes(config, source);
  const { vectors, matrices } = await build(weightShapes(config), source, format, progress);
  const vector = (name: string) => found(vectors, name);
  const matrix = (name: string) => found(matrices, name);

  const embedding = matrix('model.embed_tokens.weight');
  const layers: LayerWeights[] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const linear: Partial<Record<Target, Weight>> = {};
    const bias: Partial<Record<Target, tf.Tensor>> = {};
    for (const target of targetsOf(config)) {
      linear[target] = matrix(`${linearName(layer, target)}.weight`);
      if (config.biased.includes(target)) bias[target] = vector(`${linearName(layer, target)}.bias`);
    }
    layers.push({ norms: layerNorms(config, layer, vector), linear, bias });
  }
  const norm = vector('model.norm.weight');
  const head = config.tied ? embedding : matrix('lm_head.weight');
  return { embedding, layers, norm, head };
}

/** Bytes handed to the device before they are waited for: a queue without end would be the whole model. */
const AHEAD: Bytes = 64 * 2 ** 20;

async function build(
  shapes: ReadonlyMap<string, number[]>,
  source: WeightSource,
  format: WeightFormat,
  progress: (done: number, total: number) => void,
): Promise<{ vectors: Map<string, tf.Tensor>; matrices: Map<string, Weight> }> {
  const vectors = new Map<string, tf.Tensor>();
  const matrices = new Map<string, Weight>();
  const building = new Map<string, { builder: WeightBuilder; missing: number }>();
  let ahead = 0;
  try {
    for await (const piece of source.pieces((name) => formatOfTensor(name, format))) {
      const { tensor: name, row, rows, planes } = piece;
      const [n, k] = shapes.get(name) ?? [];
      if (n === undefined) continue; // such as the head of a model whose head is its embedding
      if (k === undefined) vectors.set(name, tf.tensor1d(decode(planes, piece.format, n)));
      else {
        const own = building.get(name) ?? {
          builder: new WeightBuilder(piece.format, n, k, { label: name }),
          missing: n,
        };
        building.set(name, own);
        own.builder.put(row, rows, planes);
        own.missing -= rows;
        if (own.missing === 0) {
          building.delete(name);
          matrices.set(name, own.builder.finish());
        }
      }
      progress(vectors.size + matrices.size, shapes.size);
      ahead += planes.reduce((sum, plane) => sum + plane.byteLength, 0);
      if (ahead < AHEAD) continue;
      await writesDone();
      ahead = 0;
    }
    const lost = [...shapes.keys()].find((name) => !vectors.has(name) && !matrices.has(name));
    if (lost !== undefined) throw new Error(`The weights ended before ${lost} was whole.`);
    return { vectors, matrices };
  } catch (error) {
    tf.dispose([...vectors.values()]);
    for (const weight of [
      ...matrices.values(),
      ...[...building.values()].map(({ builder }) => builder.finish()),
    ])
      disposeWeight(weight);
    throw error;
  }
}

function found<T>(held: ReadonlyMap<string, T>, name: string): T {
  const value = held.get(name);
  if (value === undefined) throw new Error(`${name} was not loaded.`);
  return value;
}
