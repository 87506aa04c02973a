/** Brings a checkpoint's weights onto the device, piece by piece, after its names and shapes were held against config.json. */
import * as tf from '@tensorflow/tfjs-core';
import { decode } from '../checkpoint/planes';
import type { WeightSource } from '../checkpoint/source';
import { WeightBuilder } from '../checkpoint/upload';
import { writesDone } from '../gpu/memory';
import { disposeWeight, type Weight } from '../ops/weight';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import type { ModelConfig } from './config';
import { formatOfTensor, linearName, linearShape, membersOf, PROJECTIONS, weightShapes } from './shapes';
import { weightsOf, type ModelWeights } from './weights';

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
  const places = placesIn(config);
  const { vectors, matrices } = await build(config, places, source, format, progress);
  const vector = (name: string) => found(vectors, name);
  return weightsOf(config, {
    vector,
    joined: (names) => stacked(names.map(vector), (parts) => tf.concat(parts)),
    stacked: (names) => stacked(names.map(vector), tf.stack),
    matrix: (name) => found(matrices, name),
  });
}

/** One tensor in the place of several. */
function stacked(parts: tf.Tensor[], join: (parts: tf.Tensor1D[]) => tf.Tensor): tf.Tensor {
  const whole = tf.tidy(() => join(parts as tf.Tensor1D[]));
  tf.dispose(parts);
  return whole;
}

/** Where the rows of a tensor go: into a matrix of its own, or below others that read the same input. */
interface MatrixPlace {
  matrix: string;
  row: number;
  /** Rows of the whole matrix. */
  rows: number;
}

function placesIn(config: ModelConfig): Map<string, MatrixPlace> {
  const places = new Map<string, MatrixPlace>();
  for (let layer = 0; layer < config.layers; layer++)
    for (const projection of PROJECTIONS) {
      const members = membersOf(config, projection).map((target) => ({
        name: `${linearName(layer, target)}.weight`,
        out: linearShape(config, target).out,
      }));
      const rows = members.reduce((sum, { out }) => sum + out, 0);
      let row = 0;
      for (const { name, out } of members) {
        places.set(name, { matrix: linearName(layer, projection), row, rows });
        row += out;
      }
    }
  return places;
}

/** Bytes handed to the device before they are waited for: a queue without end would be the whole model. */
const AHEAD: Bytes = 64 * 2 ** 20;

async function build(
  config: ModelConfig,
  places: ReadonlyMap<string, MatrixPlace>,
  source: WeightSource,
  format: WeightFormat,
  progress: (done: number, total: number) => void,
): Promise<{ vectors: Map<string, tf.Tensor>; matrices: Map<string, Weight> }> {
  const shapes = weightShapes(config);
  const vectors = new Map<string, tf.Tensor>();
  const matrices = new Map<string, Weight>();
  const building = new Map<string, { builder: WeightBuilder; missing: number }>();
  let done = 0;
  let ahead = 0;
  try {
    for await (const piece of source.pieces((name) => formatOfTensor(name, format))) {
      const { tensor: name, row, rows, planes } = piece;
      const [n, k] = shapes.get(name) ?? [];
      if (n === undefined) continue; // such as the head of a model whose head is its embedding
      if (k === undefined) {
        vectors.set(name, tf.tensor1d(decode(planes, piece.format, n)));
        done++;
      } else {
        if (row + rows === n) done++;
        const place = places.get(name) ?? { matrix: name, row: 0, rows: n };
        const own = building.get(place.matrix) ?? {
          builder: new WeightBuilder(piece.format, place.rows, k, { label: place.matrix }),
          missing: place.rows,
        };
        building.set(place.matrix, own);
        if (own.builder.format !== piece.format)
          throw new Error(
            `${name} comes as ${piece.format}, but the layers that read the same input as ${own.builder.format}, and they run as one. Add the model as f32.`,
          );
        own.builder.put(place.row + row, rows, planes);
        own.missing -= rows;
        if (own.missing === 0) {
          building.delete(place.matrix);
          matrices.set(place.matrix, own.builder.finish());
        }
      }
      progress(done, shapes.size);
      ahead += planes.reduce((sum, plane) => sum + plane.byteLength, 0);
      if (ahead < AHEAD) continue;
      await writesDone();
      ahead = 0;
    }
    const lost = [...shapes.keys()].find(
      (name) => !vectors.has(name) && !matrices.has(places.get(name)?.matrix ?? name),
    );
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
