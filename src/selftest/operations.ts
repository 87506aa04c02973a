/**
 * What the self-test asks of each operation: inputs at sizes that fill no tile, outputs and gradients. The same code runs on the
 * device and on the processor. Needs no files and judges nothing: see detours.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import { sightOfStarts } from '../model/sight';
import { attention } from '../ops/attention';
import { crossEntropy } from '../ops/crossEntropy';
import { dropout } from '../ops/dropout';
import { accumulate, adamw, gradientNorm } from '../ops/flat';
import { glu, type Activation } from '../ops/glu';
import { fromHalves, toHalves } from '../ops/halves';
import { splitHeads, splitHeadsInto } from '../ops/heads';
import { gatherRows, scatterRows, zerosOnDevice } from '../ops/pickRows';
import { branchedNorm, rmsNorm } from '../ops/rmsNorm';
import { sampleToken } from '../ops/sampleToken';
import type { OperationName } from '../protocol/detours';
import { WEIGHT_FORMATS } from '../protocol/weightFormats';
import { filler, flatState, given, gradients, ROWS } from './inputs';
import { adapted, addedUp, dropped, embedding, joined, trained } from './weightCases';

/** One judgement of an operation. */
export interface Case {
  name: string;
  /** Relative L2. */
  tolerance: number;
  /** On the backend that is set: makes its inputs, returns its outputs. Called in a tidy. */
  run(): tf.Tensor[];
}

export interface OperationToTest {
  operation: OperationName;
  cases: Case[];
}

/** Products with f32 come first: an adapter's run inside the layers of every other format. */
export function operationsToTest(): OperationToTest[] {
  const one = (operation: OperationName, tolerance: number, run: Case['run'], name: string = operation) => ({
    operation,
    cases: [{ name, tolerance, run }],
  });
  const [f32, ...packed] = WEIGHT_FORMATS.map((format) =>
    one(`linear ${format}`, format === 'f32' ? 1e-4 : 2e-3, () => adapted(format), `linear, ${format}`),
  );
  return [
    {
      operation: 'linear f32',
      cases: [
        ...(f32?.cases ?? []),
        { name: 'linear, into the gradient', tolerance: 1e-4, run: addedUp },
        { name: 'linear, trained', tolerance: 1e-4, run: trained },
      ],
    },
    ...packed,
    ...WEIGHT_FORMATS.map((format) =>
      one(`embed ${format}`, 1e-5, () => embedding(format), `embed, ${format}`),
    ),
    one('rmsNorm', 1e-4, norm),
    {
      operation: 'heads',
      cases: [
        { name: 'heads', tolerance: 1e-4, run: () => heads(false) },
        { name: 'heads, normed', tolerance: 1e-4, run: () => heads(true) },
      ],
    },
    one('attention', 1e-4, attend),
    one('attentionApart', 1e-4, attendApart, 'attention, one by one'),
    {
      operation: 'glu',
      cases: [
        ...(['silu', 'gelu_tanh'] as const).map(gated),
        ...(['f32', 'q4'] as const).map((format) => ({
          ...{ name: `glu, in a product, ${format}`, tolerance: format === 'f32' ? 1e-4 : 2e-3 },
          run: () => joined(format),
        })),
      ],
    },
    {
      operation: 'dropout',
      cases: [
        { name: 'dropout', tolerance: 1e-6, run: drop },
        { name: 'dropout, in a layer', tolerance: 1e-4, run: dropped },
      ],
    },
    one('crossEntropy', 1e-4, lossRows),
    one('rows', 1e-6, pick),
    one('adamw', 1e-5, update),
    one('sampleToken', 0, sample),
  ];
}

/** Once alone, and once where x goes past the norm as well. */
function norm(): tf.Tensor[] {
  const filled = filler();
  const [x, g, dy] = [filled(ROWS, 130), filled(130), filled(ROWS, 130)];
  const attrs = { epsilon: 1e-6, offset: 1 as const };
  const run = (...[x1, g1]: tf.Tensor[]) => rmsNorm(given(x1), given(g1), attrs, { added: dy });
  const both = (...[x1, g1]: tf.Tensor[]) => tf.add(...branchedNorm(given(x1), given(g1), attrs));
  return [run(x, g), ...gradients(run, [x, g], dy), ...gradients(both, [x, g], dy)];
}

/**
 * Three query heads on one key head; the parts are weighted apart, so that one that changes places with another is seen. Keys and values
 * of the last position go past the end of a cache.
 */
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
  const cache = () => tf.clone(zerosOnDevice([ROWS - 1, 16]));
  const places = { keys: cache(), values: cache(), at: positions };
  const placed = splitHeadsInto(x, { positions, table, gains }, attrs, places);
  return [...split(x), ...gradients(run, [x], filled(ROWS, 80)), ...placed];
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

/** Each query has keys of its own, of every length, as in a cache of several sequences. */
function attendApart(): tf.Tensor[] {
  const filled = filler();
  const [q, k, v] = [filled(ROWS, 64), filled(2 * ROWS, 32), filled(2 * ROWS, 32)];
  const first = Array.from({ length: ROWS }, (_, row) => (row * 5) % ROWS);
  const last = first.map((key, row) => key + row);
  const ranges = tf.tensor2d([first, last, first], [3, ROWS], 'int32');
  return [attention(q, k, v, ranges, { heads: 4, kvHeads: 2, headDim: 16, together: false })];
}

function drop(): tf.Tensor[] {
  const filled = filler();
  const seed = tf.tensor1d([12345], 'int32');
  return [dropout(filled(ROWS, 130), seed, 0.25, 3)];
}

/** Some rows out, some in, and places past the end. */
function pick(): tf.Tensor[] {
  const filled = filler();
  const [x, few] = [filled(ROWS, 10), filled(5, 10)];
  const at = tf.tensor1d([36, 0, 17, 99, 99], 'int32');
  const target = scatterRows(tf.clone(zerosOnDevice([ROWS, 10])), few, at);
  // halves themselves, an odd count of them
  const exact = tf.div(tf.round(tf.mul(filled(1, 129), 64)), 64);
  return [gatherRows(x, at), target, fromHalves(toHalves(exact), exact.shape)];
}

/** The largest logit, a draw by temperature, and one out of a nucleus. */
function sample(): tf.Tensor[] {
  const logits = tf.mul(filler()(5, 261), 4);
  const chances = tf.tensor1d([0.05, 0.3, 0.5, 0.7, 0.95]);
  const ways = [
    { temperature: 0, topP: 1 },
    { temperature: 0.8, topP: 1 },
    { temperature: 0.8, topP: 0.7 },
  ];
  return ways.map((sampling) => sampleToken(logits, chances, sampling));
}

function gated(activation: Activation): Case {
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

/** A gradient added up from two parts, and one update with it, clipped. */
function update(): tf.Tensor[] {
  const filled = filler();
  const state = flatState(320);
  accumulate(state, filled(320), 0);
  accumulate(state, filled(70), 64);
  const scalars = {
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.1,
    update: 3,
  };
  const norm = gradientNorm(state, 1);
  adamw(state, norm, scalars);
  tf.dispose([state.scalars]);
  return [norm, state.parameters, state.mean, state.square, state.gradient];
}
