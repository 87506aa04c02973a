/** Queries, keys and values of each token, taken apart, turned and put together again, by hand loops in f64. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { beforeAll, expect, it } from 'vitest';
import { splitHeads } from '../../src/ops/heads';
import { relativeL2 } from '../../src/selftest/distance';
import { differences, filled, numbers } from './numbers';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const [ROWS, HEADS, KV, D] = [3, 2, 1, 8];
const POSITIONS = [2, 0, 5];
const EPSILON = 1e-6;
const ALL = HEADS + 2 * KV;
const x = filled(ROWS * ALL * D, 19);
const gains = filled(2 * D, 29);

const angle = (position: number, i: number) => position * 10 ** -i;

function tableOf(turned: number): Float32Array {
  return Float32Array.from({ length: 6 * turned }, (_, at) => {
    const [position, i] = [Math.floor(at / turned), at % turned];
    return i < turned / 2 ? Math.cos(angle(position, i)) : Math.sin(angle(position, i - turned / 2));
  });
}

/** → q, k and v one after the other */
function byHand(values: ArrayLike<number>, g: ArrayLike<number> | null, turned: number): number[] {
  const parts: number[][] = [[], [], []];
  for (let row = 0; row < ROWS; row++)
    for (let head = 0; head < ALL; head++) {
      const kind = head < HEADS ? 0 : head < HEADS + KV ? 1 : 2;
      let own = Array.from({ length: D }, (_, c) => values[(row * ALL + head) * D + c] ?? NaN);
      if (g && kind < 2) {
        const rstd = 1 / Math.sqrt(own.reduce((sum, one) => sum + one * one, 0) / D + EPSILON);
        own = own.map((one, c) => one * rstd * (1 + (g[kind * D + c] ?? NaN)));
      }
      if (kind < 2)
        own = own.map((value, i) => {
          if (i >= turned) return value;
          const half = turned / 2;
          const a = angle(POSITIONS[row] ?? NaN, i % half);
          const other = own[i < half ? i + half : i - half] ?? NaN;
          return i < half
            ? value * Math.cos(a) - other * Math.sin(a)
            : value * Math.cos(a) + other * Math.sin(a);
        });
      parts[kind]?.push(...own);
    }
  return parts.flat();
}

it.each([
  [8, false],
  [6, false],
  [0, false],
  [8, true],
  [6, true],
])(
  '%i of 8 numbers of a head are turned, normed %s; gradients are those of finite differences',
  (turned, normed) => {
    const at = tf.tensor1d(POSITIONS, 'int32');
    const table = turned > 0 ? tf.tensor(tableOf(turned), [6, turned]) : undefined;
    const attrs = { heads: HEADS, kvHeads: KV, headDim: D, norm: { epsilon: EPSILON, offset: 1 as const } };
    const run = (t: tf.Tensor, g: tf.Tensor | null) => {
      const parts = splitHeads(t, { positions: at, table, gains: g }, attrs);
      return tf.concat(parts.map((part) => tf.reshape(part, [part.size])));
    };
    const input = tf.tensor(x, [ROWS, ALL * D]);
    const g = normed ? tf.tensor(gains, [2, D]) : null;
    const own = normed ? gains : null;
    expect(relativeL2(numbers(run(input, g)), byHand(x, own, turned))).toBeLessThan(1e-6);

    const dy = filled(x.length, 23);
    const inputs = g ? [input, g] : [input];
    const [dx, dg] = tf.grads((...[t, gain]) => run(t as tf.Tensor, (gain ?? null) as tf.Tensor | null))(
      inputs,
      tf.tensor1d(dy),
    );
    const expected = differences((v) => byHand(v, own, turned), x, dy);
    expect(relativeL2(numbers(dx), expected)).toBeLessThan(2e-3);
    if (g)
      expect(
        relativeL2(
          numbers(dg),
          differences((v) => byHand(x, v, turned), gains, dy),
        ),
      ).toBeLessThan(2e-3);
  },
);

it('says both widths where they do not agree', () => {
  const attrs = { heads: 2, kvHeads: 1, headDim: 4, norm: { epsilon: EPSILON, offset: 0 as const } };
  const at = tf.tensor1d([0, 1], 'int32');
  expect(() => splitHeads(tf.ones([2, 12]), { positions: at, gains: null }, attrs)).toThrow(
    '12 columns are not the 16 of queries, keys and values',
  );
});
