/**
 * A linear layer with a frozen or trained weight and, folded in, a LoRA adapter:
 *
 *   y = x Wᵀ + bias + residual + scale · (x Aᵀ) Bᵀ          (Hu et al., arXiv 2106.09685)
 *
 * x [m, k], W [n, k], A [rank, k], B [n, rank], y [m, n]. PEFT's orientation throughout. Layers that read the same x run as one: see
 * segments.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineComposite, defineOperation, only, readAttrs } from './define';
import { dropout, type DropoutAttrs } from './dropout';
import { glu, type Activation } from './glu';
import { addToGradient, unreadTensor, type GradientPlace } from './gradientPlace';
import {
  blockOuterReference,
  columnSumReference,
  downReference,
  dxReference,
  gatedLinearReference,
  linearReference,
  outerReference,
  plainDxReference,
} from './linear.reference';
import {
  blockOuterKernel,
  columnSumKernel,
  downKernel,
  dxKernel,
  gatedLinearKernel,
  linearKernel,
  outerKernel,
  plainDxKernel,
} from './linear.kernel';
import { lowRankOuter, outerProductOf } from './product/lowRank';
import { ranksOf, type Segment } from './segments';
import { wayOf } from './ways';
import type { FrozenWeight, Weight } from './weight';

export interface LowRank {
  /** [Σ rank, k] */
  a: tf.Tensor;
  /** Σ rows · rank numbers: B [rows, rank] of one segment after the other. */
  b: tf.Tensor;
  segments: readonly Segment[];
  /** A reads x after dropout. */
  drop?: Drop;
  /** Where the gradients are added; the tape then hands on tensors without content. */
  into?: { a: GradientPlace; b: GradientPlace };
}

export interface Drop extends DropoutAttrs {
  /** [1] int32 */
  seed: tf.Tensor;
}

export interface BlockAttrs {
  segments: readonly Segment[];
}

export interface LinearAttrs extends BlockAttrs {
  /** The frozen matrix; null where a trained one comes as the input `w`. */
  weight: FrozenWeight | null;
  /** Multiplies the product. */
  scale: number;
  into?: LowRank['into'];
  /** Nobody reads y, only its gradient is wanted: on the GPU the product is not run. */
  unread?: boolean;
}

interface DroppedAttrs extends LinearAttrs {
  drop: DropoutAttrs;
}

export interface GatedAttrs extends LinearAttrs {
  activation: Activation;
}

/** A packed weight's kernels are its own; everything else is a product with f32. */
const part = ({ weight }: LinearAttrs) => `linear ${weight?.format ?? 'f32'}` as const;
const operation = (name: string) =>
  defineOperation<LinearAttrs>({
    name,
    operation: part,
    reference: linearReference,
    kernel: linearKernel,
  });
/** A frozen matrix, a trained one, and a frozen one with an adapter: each saves what its gradient reads. */
const frozen = operation('FrozenLinear');
const trained = operation('TrainedLinear');
const adapted = operation('AdaptedLinear');
/** Its gradient is nobody's: whoever tapes runs the layer and the unit one after the other. */
const gatedForward = defineOperation<GatedAttrs>({
  name: 'GatedLinear',
  operation: part,
  reference: gatedLinearReference,
  kernel: gatedLinearKernel,
});
const dx = defineOperation<LinearAttrs>({
  name: 'LinearDx',
  operation: part,
  reference: dxReference,
  kernel: dxKernel,
});
const plainDx = defineOperation<object>({
  name: 'PlainDx',
  operation: 'linear f32',
  reference: plainDxReference,
  kernel: plainDxKernel,
});
const down = defineOperation<BlockAttrs>({
  name: 'LoraDu',
  operation: 'linear f32',
  reference: downReference,
  kernel: downKernel,
});
const outer = defineOperation<{ scale: number }>({
  name: 'OuterProduct',
  operation: 'linear f32',
  reference: outerReference,
  kernel: outerKernel,
});
const blockOuter = defineOperation<BlockAttrs>({
  name: 'BlockOuterProduct',
  operation: 'linear f32',
  reference: blockOuterReference,
  kernel: blockOuterKernel,
});
const columnSum = defineOperation<object>({
  name: 'ColumnSum',
  operation: 'linear f32',
  reference: columnSumReference,
  kernel: columnSumKernel,
});

tf.registerGradient({
  kernelName: 'FrozenLinear',
  gradFunc: (dy, _, attrs) => {
    const g = single(dy);
    return { x: () => only(dx({ dy: g }, readAttrs<LinearAttrs>(attrs))), ...ofAdded(g) };
  },
});

tf.registerGradient({
  kernelName: 'TrainedLinear',
  inputsToSave: ['x', 'w'],
  gradFunc: (dy, saved, attrs) => {
    const own = readAttrs<LinearAttrs>(attrs);
    const [x, w] = pick(saved, 2);
    const g = single(dy);
    return {
      x: () => only(dx({ dy: g, w }, own)),
      w: () => outerProduct(g, x, own.scale),
      ...ofAdded(g),
    };
  },
});

tf.registerGradient({
  kernelName: 'AdaptedLinear',
  inputsToSave: ['x', 'a', 'b'],
  outputsToSave: [false, true],
  gradFunc: (dy, saved, attrs) => {
    const own = readAttrs<LinearAttrs>(attrs);
    const [x, a, b, u] = pick(saved, 4);
    const g = single(dy);
    // made here, not in a thunk: tfjs tidies every thunk, and two of them read it
    const du = only(down({ dy: g, b }, own));
    return {
      x: () => only(dx({ dy: g, du, a }, own)),
      ...ofAdapter({ dy: g, du, x, u, a, b }, own),
      ...ofAdded(g),
    };
  },
});

/**
 * The adapter reads x after dropout. One node of the tape with one gradient of x: two would be added by TensorFlow.js, and a step with a
 * kernel of its own in it is not recorded (gpu/recorder.ts). → y, u and what A has read
 */
const dropped = defineComposite<DroppedAttrs>('DroppedLinear', ({ seed, ...inputs }, { drop, ...attrs }) => {
  const { x } = inputs;
  if (!x || !seed) throw new Error('A layer with dropout misses its input or its seed.');
  const xa = dropout(x, seed, drop.p, drop.place);
  return [...adapted({ ...inputs, xa }, attrs), xa];
});

tf.registerGradient({
  kernelName: 'DroppedLinear',
  inputsToSave: ['a', 'b', 'seed'],
  outputsToSave: [false, true, true],
  gradFunc: (dy, saved, attrs) => {
    const { drop, ...own } = readAttrs<DroppedAttrs>(attrs);
    const [a, b, seed, u, x] = pick(saved, 5);
    const g = single(dy);
    const du = only(down({ dy: g, b }, own));
    return {
      x: () => {
        const low = dropout(only(plainDx({ dy: du, w: a }, {})), seed, drop.p, drop.place);
        return only(dx({ dy: g, added: low }, own));
      },
      ...ofAdapter({ dy: g, du, x, u, a, b }, own),
      ...ofAdded(g),
    };
  },
});

type Backward = Record<'dy' | 'du' | 'x' | 'u' | 'a' | 'b', tf.Tensor>;

/** `x`: what A has read. */
function ofAdapter({ dy, du, x, u, a, b }: Backward, { segments, into }: LinearAttrs) {
  return {
    a: () => gradientOfA(du, x, a, into?.a),
    b: () => gradientOfB(u, dy, segments, b, into?.b),
  };
}

/** duᵀ x [Σ rank, k] */
function gradientOfA(du: tf.Tensor, x: tf.Tensor, a: tf.Tensor, into: GradientPlace | undefined): tf.Tensor {
  if (!into) return outerProduct(du, x, 1);
  addToGradient(into, a.shape, {
    kernel: (target) => outerProductOf(du, x, 1, target),
    reference: () => outerReference({ p: du, q: x }, { scale: 1 }),
  });
  return unreadTensor(a.shape);
}

function gradientOfB(
  u: tf.Tensor,
  dy: tf.Tensor,
  segments: readonly Segment[],
  b: tf.Tensor,
  into: GradientPlace | undefined,
): tf.Tensor {
  if (!into) return tf.reshape(only(blockOuter({ u, dy }, { segments })), b.shape);
  addToGradient(into, b.shape, {
    kernel: (target) => lowRankOuter(u, dy, segments, target),
    reference: () => blockOuterReference({ u, dy }, { segments }),
  });
  return unreadTensor(b.shape);
}

/** Gradients of what is added to the product. */
function ofAdded(g: tf.Tensor) {
  return { bias: () => only(columnSum({ dy: g }, {})), residual: () => tf.clone(g) };
}

interface Folded {
  /** [n] */
  bias?: tf.Tensor | undefined;
  /** [m, n] */
  residual?: tf.Tensor | undefined;
  lora?: LowRank | undefined;
  unread?: boolean | undefined;
  /** W's rows make gates, then as many ups: the result is that of glu.ts on them, and has no gradient. */
  gated?: Activation | undefined;
}

/** x [m, k] → [m, n], or [m, n / 2] of gates and ups. */
export function linear(x: tf.Tensor, weight: Weight, folded: Folded = {}): tf.Tensor {
  if (x.shape[1] !== weight.k)
    throw new Error(`A linear layer of width ${weight.k} was given rows of width ${x.shape[1]}.`);
  const { bias, residual, lora, unread = false, gated } = folded;
  const { run, inputs, attrs } = wayFor(weight, lora);
  const given = { x, bias, residual, ...inputs };
  const own = { scale: 1, unread, ...attrs };
  if (gated && !lora?.drop && wayOf('glu') === 'usual')
    return only(gatedForward(given, { ...own, activation: gated }));
  const [y] = run(given, own);
  if (!y) throw new Error('A linear layer gave no output.');
  return gated ? glu(y, gated) : y;
}

/** The operation for a weight with or without an adapter, and what it is given besides. */
function wayFor(weight: Weight, lora: LowRank | undefined) {
  if (weight.format === 'trained') {
    if (lora) throw new Error('A trained matrix takes no adapter.');
    return { run: trained, inputs: { w: weight.tensor }, attrs: { weight: null, segments: [] } };
  }
  if (!lora) return { run: frozen, inputs: {}, attrs: { weight, segments: [] } };
  const { a, b, segments, into, drop } = lora;
  const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
  if (rows !== weight.n || a.shape[0] !== ranksOf(segments))
    throw new Error(
      `An adapter for ${rows} rows with ${a.shape[0]} ranks does not fit a weight of ${weight.n} rows.`,
    );
  const attrs = { weight, segments, ...(into ? { into } : {}) };
  if (!drop) return { run: adapted, inputs: { a, b }, attrs };
  const { seed, p, place } = drop;
  const run: typeof adapted = (inputs, own) => dropped(inputs, { ...own, drop: { p, place } });
  return { run, inputs: { a, b, seed }, attrs };
}

/** dy [m, n], W [n, k] → dx [m, k]: the product against a weight, for a gradient that is made by hand. */
export function linearDx(dy: tf.Tensor, weight: Weight): tf.Tensor {
  const attrs = { scale: 1, segments: [] };
  if (weight.format === 'trained') return only(dx({ dy, w: weight.tensor }, { ...attrs, weight: null }));
  return only(dx({ dy }, { ...attrs, weight }));
}

/** p [m, n], q [m, k] → scale · pᵀ q [n, k] */
export function outerProduct(p: tf.Tensor, q: tf.Tensor, scale: number): tf.Tensor {
  return only(outer({ p, q }, { scale }));
}

function single(dy: tf.Tensor | tf.Tensor[]): tf.Tensor {
  return Array.isArray(dy) ? only(dy.slice(0, 1)) : dy;
}

function pick<const N extends number>(saved: tf.Tensor[], count: N): Tuple<N> {
  if (saved.length !== count)
    throw new Error(`A gradient expected ${count} saved tensors and got ${saved.length}.`);
  return saved as Tuple<N>;
}
type Tuple<N extends number, T extends tf.Tensor[] = []> = T['length'] extends N
  ? T
  : Tuple<N, [...T, tf.Tensor]>;
