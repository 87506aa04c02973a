/**
 * From one product to attention's inputs: x = [q | k | v] of each token is taken apart, query and key heads are normed where the
 * family does that (gains [2, d]: of query and of key heads), and turned by their position.
 *
 * Rotary position embedding: the pair (i, i + t/2) of each head is turned by position · frequency i, for the first t of its d
 * numbers; the rest pass (Su et al., arXiv 2104.09864, in the halves layout of Hugging Face).
 * x [rows, (heads + 2 · kvHeads) · d], positions [rows] int32, table [maxPosition, t]: cosines, then sines; without one nothing turns.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { joinHeadsReference, splitHeadsReference } from './heads.reference';
import { joinHeadsKernel, splitHeadsKernel, splitHeadsTo } from './heads.kernel';
import { scatterRows } from './pickRows';
import { rmsNormGain, type NormAttrs } from './rmsNorm';
import { given } from './sizes';
import { byKernel } from './ways';

export interface HeadsAttrs {
  heads: number;
  kvHeads: number;
  headDim: number;
  norm: NormAttrs;
}

const split = defineOperation<HeadsAttrs>({
  name: 'SplitHeads',
  operation: 'heads',
  reference: splitHeadsReference,
  kernel: splitHeadsKernel,
});
/** With gains it saves x too. */
const splitNormed = defineOperation<HeadsAttrs>({
  name: 'SplitNormedHeads',
  operation: 'heads',
  reference: splitHeadsReference,
  kernel: splitHeadsKernel,
});
const join = defineOperation<HeadsAttrs>({
  name: 'JoinHeads',
  operation: 'heads',
  reference: joinHeadsReference,
  kernel: joinHeadsKernel,
});

/** tfjs saves no input that is missing, so nothing turned is a table without columns. */
const NOTHING_TURNED = [1, 0];

const gradients = (dys: unknown) => {
  const [dq, dk, dv] = dys as tf.Tensor[];
  return { dq, dk, dv };
};

tf.registerGradient({
  kernelName: 'SplitHeads',
  inputsToSave: ['positions', 'table'],
  gradFunc: (dys, [positions, table], attrs) => ({
    x: () => only(join({ ...gradients(dys), positions, table }, readAttrs<HeadsAttrs>(attrs))),
  }),
});

tf.registerGradient({
  kernelName: 'SplitNormedHeads',
  inputsToSave: ['positions', 'table', 'x', 'g'],
  gradFunc: (dys, [positions, table, x, g], attrs) => {
    const own = readAttrs<HeadsAttrs>(attrs);
    const turned = { ...gradients(dys), positions, table };
    return {
      x: () => only(join({ ...turned, x, g }, own)),
      g: () => gradientOfGains(only(join(turned, own)), x, g, own),
    };
  },
});

/** d, x [rows, (heads + 2 · kvHeads) · d] before the turn → [2, d]. Only full fine-tuning asks for it. */
function gradientOfGains(
  d: tf.Tensor,
  x: tf.Tensor | undefined,
  g: tf.Tensor | undefined,
  { heads, kvHeads, headDim, norm }: HeadsAttrs,
): tf.Tensor {
  if (!x || !g) throw new Error('The gradient of the heads’ gains misses an input.');
  const widths = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const ofHeads = (tensor: tf.Tensor) =>
    tf.split(tensor, widths, 1).map((part) => tf.reshape(part, [-1, headDim]));
  const [xs, ds] = [ofHeads(x), ofHeads(d)];
  const gains = [0, 1].map((index) => {
    const [own, dy] = [xs[index], ds[index]];
    if (!own || !dy) throw new Error('The heads were not split.');
    return rmsNormGain(dy, own, tf.reshape(tf.slice(g, [index, 0], [1, headDim]), [headDim]), norm);
  });
  return tf.stack(gains);
}

/** What happens to heads on the way: each token's position, what turns by it, gains where heads are normed. */
export interface Turn {
  positions: tf.Tensor;
  table?: tf.Tensor | undefined;
  gains: tf.Tensor | null;
}

export type Parts = [q: tf.Tensor, k: tf.Tensor, v: tf.Tensor];

/** → q [rows, heads · d], k and v [rows, kvHeads · d] */
export function splitHeads(x: tf.Tensor, turn: Turn, attrs: HeadsAttrs): Parts {
  const { g, ...inputs } = inputsOf(x, turn, attrs);
  const [q, k, v] = g ? splitNormed({ ...inputs, g }, attrs) : split(inputs, attrs);
  if (!q || !k || !v) throw new Error('Queries, keys and values were not split.');
  return [q, k, v];
}

function inputsOf(x: tf.Tensor, { positions, table, gains }: Turn, attrs: HeadsAttrs) {
  const width = (attrs.heads + 2 * attrs.kvHeads) * attrs.headDim;
  if (x.shape[1] !== width)
    throw new Error(`${x.shape[1]} columns are not the ${width} of queries, keys and values.`);
  const inputs = { x, positions, table: table ?? tf.zeros(NOTHING_TURNED) };
  return gains ? { ...inputs, g: gains } : { ...inputs, g: undefined };
}

/** Rows of a cache: keys and values [any, kvHeads · d], and the row of each token, at [rows] int32. */
export interface Places {
  keys: tf.Tensor;
  values: tf.Tensor;
  at: tf.Tensor;
}

/**
 * As `splitHeads`, with k and v put at their places; one past the end is left out. Returns q and the keys and values to use from now
 * on, as scatterRows does. Not taped.
 */
export function splitHeadsInto(x: tf.Tensor, turn: Turn, attrs: HeadsAttrs, places: Places): Parts {
  if (byKernel('heads') && byKernel('rows')) {
    const { g, ...inputs } = inputsOf(x, turn, attrs);
    const [q] = splitHeadsTo(g ? { ...inputs, g } : inputs, attrs, places);
    return [tf.engine().makeTensorFromTensorInfo(given(q)), places.keys, places.values];
  }
  const [q, k, v] = splitHeads(x, turn, attrs);
  const { keys, values, at } = places;
  return [q, scatterRows(keys, k, at), scatterRows(values, v, at)];
}
