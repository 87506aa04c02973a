/**
 * Every operation by itself: its kernel on the device against its twin on the processor, forward and backward, at sizes that fill
 * no tile. Where the oracle's checks fail, this names the operation. Needs no files.
 */
import * as tf from '@tensorflow/tfjs-core';
import { makeWeight } from '../model/weights';
import { sightOfStarts } from '../model/sight';
import { attention } from '../ops/attention';
import { crossEntropy } from '../ops/crossEntropy';
import { adamw, gradientNorm, type FlatState } from '../ops/flat';
import { linear } from '../ops/linear';
import { rmsNorm } from '../ops/rmsNorm';
import { glu, type Activation } from '../ops/glu';
import { splitHeads } from '../ops/heads';
import { embed } from '../ops/embed';
import { WEIGHT_FORMATS, type WeightFormat } from '../protocol/weightFormats';
import { randomFrom } from '../random';
import { relativeL2 } from './distance';
import { disposeWeight } from '../ops/weight';

export interface OperationCheck {
  operation: string;
  error: number;
  tolerance: number;
  ok: boolean;
}

interface Operation {
  name: string;
  tolerance: number;
  /** On the backend that is set: makes its inputs, returns its outputs. Called in a tidy. */
  run(): tf.Tensor[];
}

const ROWS = 37;

/** Each operation is reported as it is done; `onDevice` is told before and after, for errors that the device reports late. */
export async function checkOperations(
  check: () => void,
  hear: (result: OperationCheck) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, tolerance, run } of operations()) {
    signal.throwIfAborted();
    const theirs = await outputsOn('cpu', run);
    let error = Infinity;
    try {
      const ours = await outputsOn('webgpu', run);
      check();
      error = Math.max(...ours.map((values, index) => relativeL2(values, theirs[index] ?? [])));
    } catch (failure) {
      // a kernel that the device refuses is a result, not the end of the test
      console.error(`Self-test of ${name}:`, failure);
    }
    hear({ operation: name, error, tolerance, ok: error <= tolerance });
  }
}

async function outputsOn(backend: 'cpu' | 'webgpu', run: () => tf.Tensor[]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  try {
    const outputs = tf.tidy(run);
    const values = await Promise.all(outputs.map(async (one) => Float32Array.from(await one.data())));
    tf.dispose(outputs);
    return values;
  } finally {
    await tf.setBackend('webgpu');
  }
}

function operations(): Operation[] {
  return [
    ...WEIGHT_FORMATS.map(linearIn),
    { name: 'embed', tolerance: 1e-5, run: embedding },
    { name: 'rmsNorm', tolerance: 1e-4, run: norm },
    { name: 'heads', tolerance: 1e-4, run: () => heads(false) },
    { name: 'heads, normed', tolerance: 1e-4, run: () => heads(true) },
    { name: 'attention', tolerance: 1e-4, run: attend },
    ...(['silu', 'gelu_tanh'] as const).map(gated),
    { name: 'crossEntropy', tolerance: 1e-4, run: lossRows },
    { name: 'adamw', tolerance: 1e-5, run: update },
  ];
}

/** The same numbers on both backends: each run of an operation begins the sequence anew. */
function filler(): (...shape: number[]) => tf.Tensor {
  const random = randomFrom(11);
  return (...shape) => {
    const count = shape.reduce((product, side) => product * side, 1);
    return tf.tensor(
      Float32Array.from({ length: count }, () => 2 * random() - 1),
      shape,
    );
  };
}

function gradients(
  run: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  dy: tf.Tensor,
): tf.Tensor[] {
  return tf.grads((...all) => run(...(all as tf.Tensor[])))(inputs, dy);
}

/** Three layers in one product, the one between without an adapter, bias and residual; 128 suits the blocks of every format. */
function linearIn(format: WeightFormat): Operation {
  return {
    name: `linear, ${format}`,
    tolerance: format === 'f32' ? 1e-4 : 2e-3,
    run: () => {
      const filled = filler();
      const [n, k] = [132, 128];
      const segments = [
        { rows: 72, rank: 5, scale: 1.5 },
        { rows: 20, rank: 0, scale: 0 },
        { rows: 40, rank: 4, scale: 0.5 },
      ];
      const random = randomFrom(3);
      const values = Float32Array.from({ length: n * k }, () => (2 * random() - 1) / 8);
      const weight = makeWeight(values, n, k, format);
      const [x, a, b] = [filled(ROWS, k), filled(9, k), filled(72 * 5 + 40 * 4)];
      const [bias, residual, dy] = [filled(n), filled(ROWS, n), filled(ROWS, n)];
      const run = (x1: tf.Tensor, a1: tf.Tensor, b1: tf.Tensor) =>
        linear(x1, weight, { bias, residual, lora: { a: a1, b: b1, segments } });
      const outputs = [run(x, a, b), ...gradients(run as (...all: tf.Tensor[]) => tf.Tensor, [x, a, b], dy)];
      disposeWeight(weight);
      return outputs;
    },
  };
}

function embedding(): tf.Tensor[] {
  const random = randomFrom(5);
  const table = makeWeight(
    Float32Array.from({ length: 96 * 64 }, () => random() + 1),
    96,
    64,
    'f32',
  );
  const ids = tf.tensor1d(
    Array.from({ length: ROWS }, (_, row) => (row * 29) % 96),
    'int32',
  );
  const outputs = [embed(table, ids)];
  disposeWeight(table);
  return outputs;
}

function norm(): tf.Tensor[] {
  const filled = filler();
  const [x, g, dy] = [filled(ROWS, 130), filled(130), filled(ROWS, 130)];
  const run = (...[x1, g1]: tf.Tensor[]) => rmsNorm(given(x1), given(g1), { epsilon: 1e-6, offset: 1 });
  return [run(x, g), ...gradients(run, [x, g], dy)];
}

/** Three query heads on one key head; the parts are weighted apart, so that one that changes places with another is seen. */
function heads(normed: boolean): tf.Tensor[] {
  const filled = filler();
  const [x, table] = [filled(ROWS, 80), filled(ROWS, 12)];
  const positions = tf.tensor1d(
    Array.from({ length: ROWS }, (_, row) => ROWS - 1 - row),
    'int32',
  );
  const gains = normed ? filled(2, 16) : null;
  const attrs = { heads: 3, kvHeads: 1, headDim: 16, norm: { epsilon: 1e-6, offset: 1 as const } };
  const split = (x1: tf.Tensor) => splitHeads(x1, { positions, table, gains }, attrs);
  const run = (...[x1]: tf.Tensor[]) =>
    tf.concat(
      split(given(x1)).map((part, index) => tf.mul(part, index + 1)),
      1,
    );
  return [...split(x), ...gradients(run, [x], filled(ROWS, 80))];
}

/** Two documents in a row, four query heads on two key heads. */
function attend(): tf.Tensor[] {
  const filled = filler();
  const starts = Int32Array.from({ length: ROWS }, (_, row) => (row < 15 ? 0 : 15));
  const ranges = tf.tensor2d(sightOfStarts(starts, null).ranges, [3, ROWS], 'int32');
  const [q, k, v, dy] = [filled(ROWS, 64), filled(ROWS, 32), filled(ROWS, 32), filled(ROWS, 64)];
  const run = (...[q1, k1, v1]: tf.Tensor[]) =>
    attention(given(q1), given(k1), given(v1), ranges, { heads: 4, kvHeads: 2, headDim: 16, together: true });
  return [run(q, k, v), ...gradients(run, [q, k, v], dy)];
}

function gated(activation: Activation): Operation {
  return {
    name: `glu, ${activation}`,
    tolerance: 1e-4,
    run: () => {
      const filled = filler();
      const [x, dy] = [filled(ROWS, 260), filled(ROWS, 130)];
      const run = (...[x1]: tf.Tensor[]) => glu(given(x1), activation);
      return [run(x), ...gradients(run, [x], dy)];
    },
  };
}

function lossRows(): tf.Tensor[] {
  const filled = filler();
  const targets = tf.tensor1d(
    Array.from({ length: ROWS }, (_, row) => (row % 5 === 0 ? -1 : (row * 31) % 261)),
    'int32',
  );
  const { logp, dz } = crossEntropy(filled(ROWS, 261), targets, tf.fill([ROWS], 1 / ROWS), true);
  return [logp, given(dz)];
}

/** One update of 320 numbers, clipped. */
function update(): tf.Tensor[] {
  const filled = filler();
  const state: FlatState = {
    ...{ parameters: filled(320), gradient: filled(320), mean: filled(320), square: tf.abs(filled(320)) },
    scalars: tf.zeros([7]),
  };
  const scalars = {
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.1,
    update: 3,
  };
  adamw(state, gradientNorm(state, 1), scalars);
  return [state.parameters, state.mean, state.square];
}

function given(tensor: tf.Tensor | undefined): tf.Tensor {
  if (!tensor) throw new Error('A self-test misses an input.');
  return tensor;
}
