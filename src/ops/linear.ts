/**
 * A linear layer with a frozen or trained weight and, folded in, a LoRA adapter:
 *
 *   y = x Wᵀ + bias + residual + scale · (x Aᵀ) Bᵀ          (Hu et al., arXiv 2106.09685)
 *
 * x [m, k], W [n, k], A [rank, k], B [n, rank], y [m, n]. PEFT's orientation throughout.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import {
  downReference,
  dxReference,
  linearReference,
  outerReference,
  columnSumReference,
} from './linear.reference';
import { columnSumKernel, downKernel, dxKernel, linearKernel, outerKernel } from './linear.kernel';
import type { FrozenWeight, Weight } from './weight';

export interface LowRank {
  /** [rank, k] */
  a: tf.Tensor;
  /** [n, rank] */
  b: tf.Tensor;
  scale: number;
}

export interface LinearAttrs {
  /** The frozen matrix; null where a trained one comes as the input `w`. */
  weight: FrozenWeight | null;
  /** Multiplies the low-rank part; with no low-rank part, the product itself. */
  scale: number;
}

const operation = (name: string) =>
  defineOperation<LinearAttrs>({ name, reference: linearReference, kernel: linearKernel });
/** A frozen matrix, a trained one, and a frozen one with an adapter: each saves what its gradient reads. */
const frozen = operation('FrozenLinear');
const trained = operation('TrainedLinear');
const adapted = operation('AdaptedLinear');
const dx = defineOperation<LinearAttrs>({ name: 'LinearDx', reference: dxReference, kernel: dxKernel });
const down = defineOperation<{ scale: number }>({
  name: 'LoraDu',
  reference: downReference,
  kernel: downKernel,
});
const outer = defineOperation<{ scale: number }>({
  name: 'OuterProduct',
  reference: outerReference,
  kernel: outerKernel,
});
const columnSum = defineOperation<object>({
  name: 'ColumnSum',
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
    const { weight, scale } = readAttrs<LinearAttrs>(attrs);
    const [x, a, b, u] = pick(saved, 4);
    const g = single(dy);
    // made here, not in a thunk: tfjs tidies every thunk, and two of them read it
    const du = only(down({ dy: g, b }, { scale }));
    return {
      x: () => only(dx({ dy: g, du, a }, { weight, scale: 1 })),
      a: () => outerProduct(du, x, 1),
      b: () => outerProduct(g, u, scale),
      ...ofAdded(g),
    };
  },
});

/** Gradients of what is added to the product. */
function ofAdded(g: tf.Tensor) {
  return { bias: () => only(columnSum({ dy: g }, {})), residual: () => tf.clone(g) };
}

/** x [m, k] → [m, n]. `bias` [n], `residual` [m, n]. */
export function linear(
  x: tf.Tensor,
  weight: Weight,
  extra: {
    bias?: tf.Tensor | undefined;
    residual?: tf.Tensor | undefined;
    lora?: LowRank | undefined;
    scale?: number;
  } = {},
): tf.Tensor {
  const { k } = weight;
  if (x.shape[1] !== k)
    throw new Error(`A linear layer of width ${k} was given rows of width ${x.shape[1]}.`);
  const { bias, residual, lora, scale = 1 } = extra;
  const inputs = { x, bias, residual };
  if (weight.format === 'trained') {
    if (lora) throw new Error('A trained matrix takes no adapter.');
    return only(trained({ ...inputs, w: weight.tensor }, { weight: null, scale }));
  }
  if (!lora) return only(frozen(inputs, { weight, scale }));
  const [y] = adapted({ ...inputs, a: lora.a, b: lora.b }, { weight, scale: lora.scale });
  if (!y) throw new Error('A linear layer gave no output.');
  return y;
}

/** dy [m, n], W [n, k] → dx [m, k]: the product against a weight, for a gradient that is made by hand. */
export function linearDx(dy: tf.Tensor, weight: Weight): tf.Tensor {
  if (weight.format === 'trained') return only(dx({ dy, w: weight.tensor }, { weight: null, scale: 1 }));
  return only(dx({ dy }, { weight, scale: 1 }));
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
