/**
 * Llama 3's long-context rope from what a GGUF file keeps of it: the tensor rope_freqs, by which each rotary frequency is
 * divided. 1 for fast ones, `factor` for slow ones, a blend between. The four numbers of config.json that give the same
 * divisors are found and tried; they are not unique, since original length and both bounds may grow together.
 */
import { FormatError } from '../safetensors';

export interface Llama3RopeScaling {
  rope_type: 'llama3';
  factor: number;
  low_freq_factor: number;
  high_freq_factor: number;
  original_max_position_embeddings: number;
}

/** Divisors are kept as f32. */
const TOLERANCE = 1e-5;
/** What Meta's models say: Llama 3.1, 3.2 and 3.3. */
const USUAL = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** `divisors` [head size / 2]. */
export function scalingFromDivisors(
  divisors: Float32Array,
  theta: number,
  originalLength = USUAL.original_max_position_embeddings,
): Llama3RopeScaling {
  const factor = near(Math.max(...divisors));
  const usual = { ...USUAL, original_max_position_embeddings: originalLength };
  for (const bounds of [usual, fitted(divisors, theta, factor)]) {
    if (bounds === null) continue;
    const scaling = { rope_type: 'llama3' as const, factor, ...bounds };
    const again = divisorsOf(scaling, theta, divisors.length);
    if (again.every((value, i) => Math.abs(value / (divisors[i] ?? NaN) - 1) < TOLERANCE)) return scaling;
  }
  throw new FormatError(
    `The rotary factors in rope_freqs.weight (${divisors.length}, from ${Math.min(...divisors)} to ${factor}) do not follow Llama 3's rule.`,
  );
}

/** What each rotary frequency is divided by. */
export function divisorsOf(scaling: Llama3RopeScaling, theta: number, count: number): Float32Array {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  return Float32Array.from({ length: count }, (_, i) => {
    const turns = scaling.original_max_position_embeddings * turnsPerToken(i, count, theta);
    if (turns > high) return 1;
    if (turns < low) return factor;
    const blend = (turns - low) / (high - low);
    return 1 / ((1 - blend) / factor + blend);
  });
}

function turnsPerToken(i: number, count: number, theta: number): number {
  return 1 / (2 * Math.PI * theta ** (i / count));
}

/** The blend grows with the turns of a frequency in a straight line; two points of it fix the line. Null with fewer. */
function fitted(divisors: Float32Array, theta: number, factor: number): typeof USUAL | null {
  const points = [...divisors].flatMap((divisor, i) => {
    const blend = (1 / divisor - 1 / factor) / (1 - 1 / factor);
    return blend > 1e-4 && blend < 1 - 1e-4
      ? [{ turns: turnsPerToken(i, divisors.length, theta), blend }]
      : [];
  });
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last || first === last) return null;
  const slope = (first.blend - last.blend) / (first.turns - last.turns);
  const atZero = first.blend - slope * first.turns;
  // With a lower bound of 1: slope = original / (high − 1), blend at zero = −1 / (high − 1).
  const width = -1 / atZero;
  return {
    low_freq_factor: 1,
    high_freq_factor: near(1 + width),
    original_max_position_embeddings: near(slope * width),
  };
}

/** A whole number where only rounding of f32 stands between. */
function near(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value - whole) < 1e-4 * Math.abs(value) ? whole : value;
}
