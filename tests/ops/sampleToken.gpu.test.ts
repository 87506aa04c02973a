/** The sampler on the GPU: the ids of double precision, and the distribution it claims. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { asChances, sampleToken } from '../../src/ops/sampleToken';
import { randomFrom } from '../../src/random';
import { sampleInDoubles } from './sampleInDoubles';

vi.setConfig({ testTimeout: 240_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

/** Logits of about the spread a language model has. */
function logitsOf(rows: number, vocab: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Float32Array.from({ length: rows * vocab }, () => 3 * normal());
}

async function choose(
  logits: Float32Array,
  rows: number,
  draws: number[],
  sampling: { temperature: number; topP: number },
): Promise<number[]> {
  const z = tf.tensor2d(logits, [rows, logits.length / rows]);
  const chances = tf.tensor1d(asChances(draws));
  const ids = sampleToken(z, chances, sampling);
  const values = Array.from(await ids.data());
  tf.dispose([z, chances, ids]);
  return values;
}

describe('the sampler on the GPU', () => {
  // fewer columns than lanes, one past a workgroup, a number no lane count divides, Qwen2.5's vocabulary
  it.each([3, 65, 1031, 151_936])('chooses the ids of double precision out of %i', async (vocab) => {
    const rows = 5;
    const random = randomFrom(vocab);
    const logits = logitsOf(rows, vocab, vocab + 1);
    for (const sampling of [
      { temperature: 0, topP: 1 },
      { temperature: 1, topP: 1 },
      { temperature: 0.7, topP: 0.9 },
      { temperature: 1.3, topP: 0.5 },
    ]) {
      const draws = Array.from({ length: rows }, random);
      const expected = draws.map((draw, row) =>
        sampleInDoubles(logits.subarray(row * vocab, (row + 1) * vocab), draw, sampling),
      );
      expect(await choose(logits, rows, draws, sampling)).toEqual(expected);
    }
  });

  it('takes the first of equal logits, and keeps every equal one at the edge of a nucleus', async () => {
    const equal = new Float32Array(70).fill(2);
    expect(await choose(equal, 1, [0.5], { temperature: 0, topP: 1 })).toEqual([0]);
    // all 70 have the edge's weight, so all are kept: 0.999 · 70 = 69.93 is passed by the last
    expect(await choose(equal, 1, [0.999], { temperature: 1, topP: 0.1 })).toEqual([69]);
  });

  it('never leaves the nucleus, at the ends of the draw either', async () => {
    // the first token alone has more than half
    const logits = Float32Array.from({ length: 130 }, (_, id) => (id === 77 ? 9 : (id % 7) / 10));
    expect(await choose(logits, 1, [0], { temperature: 1, topP: 0.5 })).toEqual([77]);
    expect(await choose(logits, 1, [1 - 2 ** -40], { temperature: 1, topP: 0.5 })).toEqual([77]);
  });

  it('draws as often as the probabilities say (chi-square)', async () => {
    const probabilities = [0.05, 0.3, 0.02, 0.25, 0.18, 0.2];
    const rows = 4000;
    const logits = Float32Array.from({ length: rows * 6 }, (_, at) => Math.log(probabilities[at % 6] ?? 0));
    const random = randomFrom(11);
    const draws = Array.from({ length: rows }, random);
    const ids = await choose(logits, rows, draws, { temperature: 1, topP: 1 });
    const counted = probabilities.map((_, id) => ids.filter((one) => one === id).length);
    const distance = probabilities.reduce(
      (sum, p, id) => sum + ((counted[id] ?? 0) - rows * p) ** 2 / (rows * p),
      0,
    );
    // five degrees of freedom: one seed in a thousand passes 20.52; nothing at all would be drawn this evenly below 0.2
    expect(distance).toBeLessThan(20.52);
    expect(distance).toBeGreaterThan(0.2);
  });

  it('refuses another number of draws than rows', () => {
    const [z, chances] = [tf.zeros([2, 4]), tf.tensor1d([0.5])];
    expect(() => sampleToken(z, chances, { temperature: 1, topP: 1 })).toThrow(
      '2 rows of logits were given 1',
    );
    tf.dispose([z, chances]);
  });
});
