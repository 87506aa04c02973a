/** The operations of linear.ts on the tape, each with what its gradient reads, and the gradients. */
import * as tf from '@tensorflow/tfjs-core';
import { defineComposite, defineOperation, only, readAttrs } from './define';
import { dropout, type DropoutAttrs } from './dropout';
import type { Activation } from './glu';
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
  plainDxKernel,
} from './linear.kernel';
import { outerProduct } from './outerProduct';
import { lowRankOuter, outerProductOf } from './product/lowRank';
import type { Segment } from './segments';
import type { FrozenWeight } from './weight';

/** Where the gradients of A and B are added. */
export interface LowRankPlaces {
  a: GradientPlace;
  b: GradientPlace;
}

export interface BlockAttrs {
  segments: readonly Segment[];
}

export interface LinearAttrs extends BlockAttrs {
  /** The frozen matrix; null where a trained one comes as the input `w`. */
  weight: FrozenWeight | null;
  /** Multiplies the product. */
  scale: number;
  into?: LowRankPlaces;
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
export const frozen = operation('FrozenLinear');
export const trained = operation('TrainedLinear');
export const adapted = operation('AdaptedLinear');
/** Its gradient is nobody's: whoever tapes runs the layer and the unit one after the other. */
export const gatedForward = defineOperation<GatedAttrs>({
  name: 'GatedLinear',
  operation: part,
  reference: gatedLinearReference,
  kernel: gatedLinearKernel,
});
export const dx = defineOperation<LinearAttrs>({
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
export const dropped = defineComposite<DroppedAttrs>(
  'DroppedLinear',
  ({ seed, ...inputs }, { drop, ...attrs }) => {
    const { x } = inputs;
    if (!x || !seed) throw new Error('A layer with dropout misses its input or its seed.');
    const xa = dropout(x, seed, drop.p, drop.place);
    return [...adapted({ ...inputs, xa }, attrs), xa];
  },
);

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
