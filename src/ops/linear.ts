/**
 * A linear layer with a frozen or trained weight and, folded in, a LoRA adapter:
 *
 *   y = x Wᵀ + bias + residual + scale · (x Aᵀ) Bᵀ          (Hu et al., arXiv 2106.09685)
 *
 * x [m, k], W [n, k], A [rank, k], B [n, rank], y [m, n]. PEFT's orientation throughout.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, readAttrs } from './define';
import {
  downReference,
  dxReference,
  linearReference,
  outerReference,
  columnSumReference,
} from './linear.reference';
import { columnSumKernel, downKernel, dxKernel, linearKernel, outerKernel } from './linear.kernel';

/** A weight matrix [n, k]: f32, or f16 packed two to an int32 along k. */
export interface Weight {
  format: 'f32' | 'f16';
  tensor: tf.Tensor;
  n: number;
  k: number;
}

export interface LowRank {
  /** [rank, k] */
  a: tf.Tensor;
  /** [n, rank] */
  b: tf.Tensor;
  scale: number;
}

export interface LinearAttrs {
  n: number;
  k: number;
  half: boolean;
  /** Multiplies the low-rank part; with no low-rank part, the product itself. */
  scale: number;
}

const plain = defineOperation<LinearAttrs>({
  name: 'Linear',
  reference: linearReference,
  kernel: linearKernel,
});
const adapted = defineOperation<LinearAttrs>({
  name: 'AdaptedLinear',
  reference: linearReference,
  kernel: linearKernel,
});
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
  kernelName: 'Linear',
  inputsToSave: ['x', 'w'],
  gradFunc: (dy, saved, attrs) => {
    const { n, k, half, scale } = readAttrs<LinearAttrs>(attrs);
    const [x, w] = pick(saved, 2);
    const g = single(dy);
    return {
      x: () => first(dx({ dy: g, w }, { n, k, half, scale })),
      w: () => outerProduct(g, x, scale),
      bias: () => first(columnSum({ dy: g }, {})),
      residual: () => tf.clone(g),
    };
  },
});

tf.registerGradient({
  kernelName: 'AdaptedLinear',
  inputsToSave: ['x', 'w', 'a', 'b'],
  outputsToSave: [false, true],
  gradFunc: (dy, saved, attrs) => {
    const { n, k, half, scale } = readAttrs<LinearAttrs>(attrs);
    const [x, w, a, b, u] = pick(saved, 5);
    const g = single(dy);
    // made here, not in a thunk: tfjs tidies every thunk, and two of them read it
    const du = first(down({ dy: g, b }, { scale }));
    return {
      x: () => first(dx({ dy: g, w, du, a }, { n, k, half, scale: 1 })),
      a: () => outerProduct(du, x, 1),
      b: () => outerProduct(g, u, scale),
      bias: () => first(columnSum({ dy: g }, {})),
      residual: () => tf.clone(g),
    };
  },
});

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
  const { n, k } = weight;
  if (x.shape[1] !== k)
    throw new Error(`A linear layer of width ${k} was given rows of width ${x.shape[1]}.`);
  const { bias, residual, lora, scale = 1 } = extra;
  const half = weight.format === 'f16';
  const inputs = { x, w: weight.tensor, bias, residual };
  if (!lora) return first(plain(inputs, { n, k, half, scale }));
  return first(adapted({ ...inputs, a: lora.a, b: lora.b }, { n, k, half, scale: lora.scale }));
}

/** dy [m, n], w [n, k] → dx [m, k]: the product against a weight, for a gradient that is made by hand. */
export function linearDx(dy: tf.Tensor, weight: Weight): tf.Tensor {
  return first(
    dx({ dy, w: weight.tensor }, { n: weight.n, k: weight.k, half: weight.format === 'f16', scale: 1 }),
  );
}

/** p [m, n], q [m, k] → scale · pᵀ q [n, k] */
export function outerProduct(p: tf.Tensor, q: tf.Tensor, scale: number): tf.Tensor {
  return first(outer({ p, q }, { scale }));
}

function first(tensors: tf.Tensor[]): tf.Tensor {
  const [tensor] = tensors;
  if (!tensor) throw new Error('An operation returned nothing.');
  return tensor;
}

function single(dy: tf.Tensor | tf.Tensor[]): tf.Tensor {
  return Array.isArray(dy) ? first(dy) : dy;
}

function pick<const N extends number>(saved: tf.Tensor[], count: N): Tuple<N> {
  if (saved.length !== count)
    throw new Error(`A gradient expected ${count} saved tensors and got ${saved.length}.`);
  return saved as Tuple<N>;
}
type Tuple<N extends number, T extends tf.Tensor[] = []> = T['length'] extends N
  ? T
  : Tuple<N, [...T, tf.Tensor]>;
