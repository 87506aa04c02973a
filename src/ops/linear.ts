/**
 * A linear layer with a frozen or trained weight and, folded in, a LoRA adapter:
 *
 *   y = x Wᵀ + bias + residual + scale · (x Aᵀ) Bᵀ          (Hu et al., arXiv 2106.09685)
 *
 * x [m, k], W [n, k], A [rank, k], B [n, rank], y [m, n]. PEFT's orientation throughout. Layers that read the same x run as one: see
 * segments.ts.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { only } from './define';
import type { DropoutAttrs } from './dropout';
import { glu, type Activation } from './glu';
import { adapted, dropped, dx, frozen, gatedForward, trained, type LowRankPlaces } from './linear.operations';
import { ranksOf, type Segment } from './segments';
import { wayOf } from './ways';
import type { Weight } from './weight';

export interface LowRank {
  /** [Σ rank, k] */
  a: tf.Tensor;
  /** Σ rows · rank numbers: B [rows, rank] of one segment after the other. */
  b: tf.Tensor;
  segments: readonly Segment[];
  /** A reads x after dropout. */
  drop?: Drop;
  /** Where the gradients are added; the tape then hands on tensors without content. */
  into?: LowRankPlaces;
}

export interface Drop extends DropoutAttrs {
  /** [1] int32 */
  seed: tf.Tensor;
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
