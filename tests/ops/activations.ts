/** The formulas of glu.ts in double precision. */
import type { Activation } from '../../src/ops/glu';

export const ACTIVATIONS: Record<Activation, (z: number) => number> = {
  silu: (z) => z / (1 + Math.exp(-z)),
  gelu_tanh: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
};
