/** The weight format a model starts with, by its size: one rule, and its reason in words. */
import type { WeightFormat } from './weightFormats';

/** Up to here 16-bit weights take at most 0.6 GB, which any machine has. */
export const SMALL_MODEL = 300e6;

export function suitedFormat(parameters: number): WeightFormat {
  return parameters <= SMALL_MODEL ? 'f16' : 'q4';
}

export const FORMAT_REASON =
  '16-bit up to 300 million parameters, where memory is no worry. Above, 4-bit: a third of the memory, and the adapter learns around what rounding costs.';
