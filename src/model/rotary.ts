/**
 * The tables of turns that rope reads: [positions, t], t/2 cosines then t/2 sines, in f64 until the end. A long-context scaling that
 * also sharpens attention multiplies both by its attention factor.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { LayerKind, ModelConfig } from './config';
import type { Rope, RopeScaling } from './ropeConfig';

/** One for each of the config's kinds of layers; undefined where they do not turn. */
export type RotaryTables = (tf.Tensor | undefined)[];

/** `positions`: length of the longest sequence; longrope has other factors past its original length. */
export function inverseFrequencies({ theta, dim, scaling }: Rope, positions: number): number[] {
  return Array.from({ length: dim / 2 }, (_, i) => {
    const plain = theta ** ((-2 * i) / dim);
    if (!scaling) return plain;
    switch (scaling.type) {
      case 'linear':
        return plain / scaling.factor;
      case 'llama3':
        return byBand(plain, scaling);
      case 'yarn': {
        const [low, high] = yarnRange(theta, dim, scaling);
        const ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
        return (plain / scaling.factor) * ramp + plain * (1 - ramp);
      }
      case 'longrope': {
        const long = positions > scaling.originalLength;
        return plain / ((long ? scaling.longFactor : scaling.shortFactor)[i] ?? NaN);
      }
    }
    return scaling satisfies never;
  });
}

/** Long waves are stretched, short ones kept, those between mixed (the Llama 3.1 model card's rule). */
function byBand(
  frequency: number,
  { factor, lowFreqFactor, highFreqFactor, originalLength }: Extract<RopeScaling, { type: 'llama3' }>,
): number {
  const wave = (2 * Math.PI) / frequency;
  if (wave < originalLength / highFreqFactor) return frequency;
  if (wave > originalLength / lowFreqFactor) return frequency / factor;
  const smooth = (originalLength / wave - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** Pairs that turn more than betaFast times over the original length are kept, less than betaSlow stretched: their indices. */
function yarnRange(
  theta: number,
  dim: number,
  { betaFast, betaSlow, originalLength, truncate }: Extract<RopeScaling, { type: 'yarn' }>,
): [number, number] {
  const pairTurning = (turns: number) =>
    (dim * Math.log(originalLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [pairTurning(betaFast), pairTurning(betaSlow)];
  const low = Math.max(0, truncate ? Math.floor(fast) : fast);
  const high = Math.min(dim - 1, truncate ? Math.ceil(slow) : slow);
  return [low, low === high ? high + 0.001 : high];
}

export function rotaryTables({ kinds }: ModelConfig, positions: number): RotaryTables {
  return kinds.map(({ rope }: LayerKind) => (rope ? rotaryTable(rope, positions) : undefined));
}

function rotaryTable(rope: Rope, positions: number): tf.Tensor {
  const frequencies = inverseFrequencies(rope, positions);
  const { dim, scaling } = rope;
  const factor = scaling && 'attentionFactor' in scaling ? scaling.attentionFactor : 1;
  const table = new Float32Array(positions * dim);
  for (let position = 0; position < positions; position++)
    frequencies.forEach((frequency, i) => {
      table[position * dim + i] = factor * Math.cos(position * frequency);
      table[position * dim + dim / 2 + i] = factor * Math.sin(position * frequency);
    });
  return tf.tensor2d(table, [positions, dim]);
}
