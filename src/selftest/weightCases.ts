/** What the self-test asks of the operations that read weights: products and embeddings, in every format. */
import * as tf from '@tensorflow/tfjs-core';
import { makeWeight } from '../model/weights';
import { embed } from '../ops/embed';
import { linear } from '../ops/linear';
import { disposeWeight, trainedWeight } from '../ops/weight';
import type { WeightFormat } from '../protocol/weightFormats';
import { randomFrom } from '../random';
import { filler, flatState, given, gradients, ROWS } from './inputs';

const N = 132;
const K = 128;
const SEGMENTS = [
  { rows: 72, rank: 5, scale: 1.5 },
  { rows: 20, rank: 0, scale: 0 },
  { rows: 40, rank: 4, scale: 0.5 },
];
const UP = 72 * 5 + 40 * 4;

function madeWeight(format: WeightFormat) {
  const random = randomFrom(3);
  const values = Float32Array.from({ length: N * K }, () => (2 * random() - 1) / 8);
  return makeWeight(values, N, K, format);
}

/**
 * Three layers in one product, the one between without an adapter, bias and residual; 128 suits the blocks of every format. One row
 * and three by themselves too, as the tokens of answers come.
 */
export function adapted(format: WeightFormat): tf.Tensor[] {
  const filled = filler();
  const weight = madeWeight(format);
  const [x, a, b] = [filled(ROWS, K), filled(9, K), filled(UP)];
  const [bias, residual, dy] = [filled(N), filled(ROWS, N), filled(ROWS, N)];
  const run = (x1: tf.Tensor, a1: tf.Tensor, b1: tf.Tensor) =>
    linear(x1, weight, { bias, residual, lora: { a: a1, b: b1, segments: SEGMENTS } });
  const outputs = [
    run(x, a, b),
    ...gradients(run as (...all: tf.Tensor[]) => tf.Tensor, [x, a, b], dy),
    ...[1, 3].map((rows) => linear(tf.slice(x, [0, 0], [rows, K]), weight, { bias })),
  ];
  disposeWeight(weight);
  return outputs;
}

/** Gates and ups joined by the product that makes them, for one token and for three. */
export function joined(format: WeightFormat): tf.Tensor[] {
  const filled = filler();
  const weight = madeWeight(format);
  const bias = filled(N);
  const outputs = [1, 3].map((rows) => linear(filled(rows, K), weight, { bias, gated: 'silu' }));
  disposeWeight(weight);
  return outputs;
}

/** The gradients of an adapter added where they belong in a flat buffer, twice: as micro-batches of one step do. */
export function addedUp(): tf.Tensor[] {
  const filled = filler();
  const weight = madeWeight('f32');
  const [x, a, b, dy] = [filled(ROWS, K), filled(9, K), filled(UP), filled(ROWS, N)];
  const state = flatState(9 * K + 576);
  const into = { a: { state, offset: 0 }, b: { state, offset: 9 * K } };
  const lora = (a1: tf.Tensor, b1: tf.Tensor) => ({ a: a1, b: b1, segments: SEGMENTS, into });
  const run = (...[a1, b1]: tf.Tensor[]) => linear(x, weight, { lora: lora(given(a1), given(b1)) });
  for (let pass = 0; pass < 2; pass++) gradients(run, [a, b], dy);
  disposeWeight(weight);
  return [state.gradient];
}

/** What the adapter reads is masked, and so is its share of the gradient. */
export function dropped(): tf.Tensor[] {
  const filled = filler();
  const weight = madeWeight('f32');
  const [x, a, b, dy] = [filled(ROWS, K), filled(9, K), filled(UP), filled(ROWS, N)];
  const drop = { seed: tf.tensor1d([12345], 'int32'), p: 0.25, place: 3 };
  const run = (...[x1, a1, b1]: tf.Tensor[]) =>
    linear(given(x1), weight, { lora: { a: given(a1), b: given(b1), segments: SEGMENTS, drop } });
  const outputs = [run(x, a, b), ...gradients(run, [x, a, b], dy)];
  disposeWeight(weight);
  return outputs;
}

export function trained(): tf.Tensor[] {
  const filled = filler();
  const [x, w, bias, dy] = [filled(ROWS, K), filled(N, K), filled(N), filled(ROWS, N)];
  const run = (...[x1, w1, bias1]: tf.Tensor[]) =>
    linear(given(x1), trainedWeight(given(w1)), { bias: given(bias1) });
  return [run(x, w, bias), ...gradients(run, [x, w, bias], dy)];
}

/** In f32 a trained table too, whose gradient adds up rows that were read more than once. */
export function embedding(format: WeightFormat): tf.Tensor[] {
  const random = randomFrom(5);
  const values = Float32Array.from({ length: 96 * 64 }, () => random() + 1);
  const ids = tf.tensor1d(
    Array.from({ length: ROWS }, (_, row) => (row * 29) % 31),
    'int32',
  );
  const table = makeWeight(values, 96, 64, format);
  const outputs = [embed(table, ids, 1.5)];
  disposeWeight(table);
  if (format !== 'f32') return outputs;
  const run = (...[own]: tf.Tensor[]) => embed(trainedWeight(given(own)), ids, 1.5);
  return [...outputs, ...gradients(run, [tf.tensor2d(values, [96, 64])], filler()(ROWS, 64))];
}
