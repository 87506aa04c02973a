/** What choosing a token means, by hand: of the twin, and of the doubles that the kernel is judged by. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { startEngine } from '../../src/gpu/backend';
import { asChances, sampleToken, type Sampling } from '../../src/ops/sampleToken';
import { randomFrom } from '../../src/random';
import { sampleInDoubles } from './sampleInDoubles';

beforeAll(async () => {
  await startEngine({ backend: 'cpu' });
});

function byTwin(logits: Float32Array, draw: number, sampling: Sampling): number {
  return tf.tidy(
    () =>
      sampleToken(
        tf.tensor2d(logits, [1, logits.length]),
        tf.tensor1d(asChances([draw])),
        sampling,
      ).dataSync()[0] ?? -1,
  );
}

const greedy = { temperature: 0, topP: 1 };
/** Probabilities 0.4, 0.3, 0.2 and 0.1, in another order. */
const four = Float32Array.from([0.2, 0.4, 0.1, 0.3], Math.log);

describe.each([
  ['the twin', byTwin],
  ['doubles', sampleInDoubles],
])('a token by %s', (_, choose) => {
  it('is the largest logit at temperature 0, of equals the first', () => {
    expect(choose(Float32Array.of(1, 3, -2, 3), 0.9, greedy)).toBe(1);
  });

  it.each([
    // running sums 0.2, 0.6, 0.7, 1
    [0, 0],
    [0.199, 0],
    [0.201, 1],
    [0.599, 1],
    [0.601, 2],
    [0.701, 3],
    [0.999, 3],
  ])('at draw %d is %i of the four', (draw, id) => {
    expect(choose(four, draw, { temperature: 1, topP: 1 })).toBe(id);
  });

  it.each([
    // 0.4 alone is too little for 0.5, 0.4 and 0.3 are enough; running sums of 0, 0.4, 0.4, 0.7 over 0.7
    [0.5, 0.57, 1],
    [0.5, 0.58, 3],
    [0.5, 0, 1],
    // 0.4 is enough for 0.39
    [0.39, 0.999, 1],
    // 0.4, 0.3 and 0.2 for 0.75: running sums 0.2, 0.6, 0.6, 0.9 over 0.9
    [0.75, 0.22, 0],
    [0.75, 0.23, 1],
    [0.75, 0.67, 3],
  ])('of the nucleus of %d at draw %d is %i', (topP, draw, id) => {
    expect(choose(four, draw, { temperature: 1, topP })).toBe(id);
  });

  it('at half the temperature has its probability squared', () => {
    // 0.04, 0.16, 0.01, 0.09: running sums 0.04, 0.2, 0.21, 0.3 over 0.3; 0.2 / 0.3 = 0.6667
    expect(choose(four, 0.666, { temperature: 0.5, topP: 1 })).toBe(1);
    expect(choose(four, 0.668, { temperature: 0.5, topP: 1 })).toBe(2);
  });
});

it('the twin chooses what doubles do for several rows at once', () => {
  const random = randomFrom(5);
  const [rows, vocab] = [6, 131];
  const logits = Float32Array.from({ length: rows * vocab }, () => 6 * random());
  for (const sampling of [
    { temperature: 0.7, topP: 0.9 },
    { temperature: 1.3, topP: 0.5 },
  ]) {
    const draws = Array.from({ length: rows }, random);
    const ids = tf.tidy(() =>
      sampleToken(tf.tensor2d(logits, [rows, vocab]), tf.tensor1d(asChances(draws)), sampling).dataSync(),
    );
    const expected = draws.map((draw, row) =>
      sampleInDoubles(logits.subarray(row * vocab, (row + 1) * vocab), draw, sampling),
    );
    expect(Array.from(ids)).toEqual(expected);
  }
});
