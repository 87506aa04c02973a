/** Attention against its twin: both forms of every kernel, whichever the device would choose. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { gpu } from '../../src/gpu/inside';
import { sightOfStarts } from '../../src/model/sight';
import { attention, type AttentionAttrs } from '../../src/ops/attention';
import { heldVectors } from '../../src/ops/attention.kernel';
import { attentionGradReference, attentionReference } from '../../src/ops/attention.reference';
import { relativeL2 } from '../../src/selftest/distance';

// a processor driver compiles each new kernel for seconds
vi.setConfig({ testTimeout: 300_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ defaultLimits: true });
});
afterEach(() => engine.check());

let state = 1;
const random = () => ((state = (state * 16807) % 2147483647) / 2147483647) * 2 - 1;
const filled = (...shape: number[]) =>
  tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random), shape);

async function expectClose(ours: tf.Tensor | undefined, theirs: tf.Tensor | undefined, limit: number) {
  if (!ours || !theirs) throw new Error('A tensor is missing.');
  expect(ours.shape).toEqual(theirs.shape);
  expect(relativeL2(await ours.data(), await theirs.data())).toBeLessThan(limit);
}

interface Case {
  rows: number;
  documents: number[];
  window: number | null;
  heads: number;
  kvHeads: number;
  headDim: number;
}

function make({ rows, documents, window, heads, kvHeads, headDim }: Case) {
  const starts = Int32Array.from({ length: rows }, (_, i) => Math.max(...documents.filter((at) => at <= i)));
  const ranges = tf.tensor2d(sightOfStarts(starts, window).ranges, [3, rows], 'int32');
  const [q, dy] = [filled(rows, heads * headDim), filled(rows, heads * headDim)];
  const [k, v] = [filled(rows, kvHeads * headDim), filled(rows, kvHeads * headDim)];
  return { q, k, v, ranges, dy };
}

function gradients(inputs: ReturnType<typeof make>, attrs: AttentionAttrs): tf.Tensor[] {
  const { q, k, v, ranges, dy } = inputs;
  const run = (...[a, b, c]: tf.Tensor[]) => {
    if (!a || !b || !c) throw new Error('An input is missing.');
    return attention(a, b, c, ranges, attrs);
  };
  return tf.grads((...all) => run(...(all as tf.Tensor[])))([q, k, v], dy);
}

/** Within a describe: its tests are skipped, which is counted, where the device has not what the form needs. */
function needs(form: string): void {
  beforeEach(({ skip }) => {
    if (form === 'lanes' && !gpu().fixedSubgroup) skip('This device has no subgroups of one size.');
  });
}

// one row; one document; three with a window; one row past two tiles of 32; groups of 1, 2, 7; a head size that fills no piece of
// 32, one of one and a half, and the largest in use
const CASES: Case[] = [
  { rows: 1, documents: [0], window: null, heads: 2, kvHeads: 2, headDim: 64 },
  { rows: 24, documents: [0], window: null, heads: 4, kvHeads: 2, headDim: 16 },
  { rows: 31, documents: [0, 7], window: null, heads: 2, kvHeads: 2, headDim: 48 },
  { rows: 65, documents: [0, 10, 40], window: 8, heads: 2, kvHeads: 2, headDim: 32 },
  { rows: 65, documents: [0, 64], window: null, heads: 14, kvHeads: 2, headDim: 64 },
  { rows: 40, documents: [0, 33], window: null, heads: 4, kvHeads: 2, headDim: 128 },
  { rows: 33, documents: [0], window: 20, heads: 2, kvHeads: 1, headDim: 256 },
];

async function expectTwin(one: Case, form: 'lanes' | 'tiles'): Promise<void> {
  const { heads, kvHeads, headDim } = one;
  const attrs = { heads, kvHeads, headDim, together: true, form };
  const inputs = make(one);
  const { q, k, v, ranges } = inputs;
  const [expected] = attentionReference(inputs, attrs);
  await expectClose(attention(q, k, v, ranges, attrs), expected, 1e-5);
  const ours = gradients(inputs, attrs);
  const theirs = attentionGradReference(inputs, attrs);
  // a lone key takes all the weight whatever it is: dq and dk are 0 there, and ours may only be rounding
  if (one.rows > 1) for (const index of [0, 1]) await expectClose(ours[index], theirs[index], 1e-4);
  await expectClose(ours[2], theirs[2], 1e-4);
  const again = gradients(inputs, attrs);
  for (const index of [0, 1, 2]) expect(await again[index]?.data()).toEqual(await ours[index]?.data());
}

describe.each(['lanes', 'tiles'] as const)('attention, form %s', (form) => {
  needs(form);

  it.each(CASES)(
    'gives the twin’s result and gradients: $rows rows, $heads/$kvHeads heads of $headDim',
    (one) => expectTwin(one, form),
  );
});

it('one document’s gradients do not change by a bit when another document changes', async () => {
  const one = { rows: 65, documents: [0, 30], window: null, heads: 4, kvHeads: 2, headDim: 64 };
  const attrs = { heads: 4, kvHeads: 2, headDim: 64, together: true };
  const inputs = make(one);
  const before = gradients(inputs, attrs);
  const changed = tf.concat([tf.slice(inputs.k, [0, 0], [30, -1]), filled(35, 128)]);
  const after = gradients({ ...inputs, k: changed }, attrs);
  for (const index of [0, 1, 2]) {
    const [a, b] = [await before[index]?.data(), await after[index]?.data()];
    const width = (before[index]?.shape[1] ?? 0) * 30;
    expect(a?.slice(0, width)).toEqual(b?.slice(0, width));
    expect(a?.slice(width)).not.toEqual(b?.slice(width));
  }
});

// keys past one turn of the lanes and a single one; heads narrower than the lanes, as wide, of a width between, wider
describe.each(['chosen', 'lanes', 'tiles'] as const)('several sequences in one cache, form %s', (form) => {
  needs(form);

  it.each([
    [14, 2, 64],
    [4, 4, 16],
    [3, 1, 20],
    [2, 1, 256],
  ])('each sees its own keys: %i/%i heads of %i', async (heads, kvHeads, headDim) => {
    const [q, k, v] = [
      filled(3, heads * headDim),
      filled(260, kvHeads * headDim),
      filled(260, kvHeads * headDim),
    ];
    const ranges = tf.tensor2d([0, 30, 259, 4, 229, 259, 0, 0, 0], [3, 3], 'int32');
    const attrs = { heads, kvHeads, headDim, together: false, ...(form === 'chosen' ? {} : { form }) };
    const inputs = { q, k, v, ranges };
    const [expected, lse] = attentionReference(inputs, attrs);
    await expectClose(attention(q, k, v, ranges, attrs), expected, 1e-5);
    const [, ours] = tf
      .engine()
      .runKernel('RangeAttention', inputs, { ...attrs } as tf.NamedAttrMap) as tf.Tensor[];
    await expectClose(ours, lse, 1e-5);
  });
});

// 32 rows of a head of 64 are 32 x 64 x 4 = 8,192 bytes an array; every device has 16,384
it.each([
  [2, 64, 16_384, 512],
  [3, 64, 16_384, 0],
  [4, 64, 32_768, 512],
  [4, 32, 16_384, 256],
])(
  '%i arrays of heads of %i in %i bytes of workgroup memory: %i vectors each',
  (arrays, headDim, room, vectors) => {
    expect(heldVectors(arrays, 32, headDim, room)).toBe(vectors);
  },
);

// kept there with eight lanes: everything of heads of 48 and 64, and only what the result needs of heads of 128
describe('attention, form lanes, with all the workgroup memory there is', () => {
  beforeAll(async () => {
    engine = await startEngine();
  });
  needs('lanes');

  it.each(CASES.filter(({ headDim }) => [48, 64, 128].includes(headDim)))(
    'gives the twin’s result and gradients: $rows rows, $heads/$kvHeads heads of $headDim',
    (one) => expectTwin(one, 'lanes'),
  );
});
