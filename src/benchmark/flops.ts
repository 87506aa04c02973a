/** Floating-point operations that the mathematics of a task asks for; padding, masks and bookkeeping do not count. */
import type { ModelConfig } from '../model/config';
import { linearShape } from '../model/shapes';
import { TARGETS } from '../protocol/settings';

export const productFlops = (m: number, n: number, k: number): number => 2 * m * n * k;

/** Causal attention over `rows` tokens: q·k and p·v on the lower triangle; the gradient needs five such products. */
export function attentionFlops(rows: number, heads: number, headDim: number) {
  const one = 2 * heads * headDim * ((rows * (rows + 1)) / 2);
  return { forward: 2 * one, backward: 5 * one };
}

/** One decoder layer with LoRA on all seven projections: W is frozen, so its gradient is not formed. */
export function layerFlops(config: ModelConfig, rows: number, rank: number) {
  let frozen = 0;
  let adapter = 0;
  for (const target of TARGETS) {
    const { out, in: width } = linearShape(config, target);
    frozen += productFlops(rows, out, width);
    adapter += productFlops(rows, rank, out + width);
  }
  const attention = attentionFlops(rows, config.heads, config.headDim);
  return {
    forward: frozen + adapter + attention.forward,
    // dX; then dU, dX's low-rank part, dA and dB
    backward: frozen + 2 * adapter + attention.backward,
    /** Of the forward pass computed again: all but the last projection, whose output nobody reads. */
    again: frozen + adapter + attention.forward - productFlops(rows, config.hidden, config.ffn),
  };
}

/** Logits and their gradient with respect to the hidden state. */
export const headFlops = (rows: number, hidden: number, vocab: number): number =>
  2 * productFlops(rows, vocab, hidden);

/** A whole step with every layer computed again. The lowest layer's input needs no gradient; that is not subtracted. */
export function stepFlops(config: ModelConfig, rows: number, rank: number): number {
  const { forward, backward, again } = layerFlops(config, rows, rank);
  return config.layers * (forward + backward + again) + headFlops(rows, config.hidden, config.vocab);
}
