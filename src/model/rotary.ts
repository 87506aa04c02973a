/** The table of turns that rope reads: [positions, d], d/2 cosines then d/2 sines, in f64 until the end. */
import * as tf from '@tensorflow/tfjs-core';
import type { Llama3Scaling, ModelConfig } from './config';

export function inverseFrequencies({ headDim, ropeTheta, ropeScaling }: ModelConfig): number[] {
  const plain = Array.from({ length: headDim / 2 }, (_, i) => ropeTheta ** ((-2 * i) / headDim));
  return ropeScaling ? plain.map((frequency) => scaled(frequency, ropeScaling)) : plain;
}

/** Long waves are stretched, short ones kept, those between mixed (the Llama 3.1 model card's rule). */
function scaled(
  frequency: number,
  { factor, lowFreqFactor, highFreqFactor, originalLength }: Llama3Scaling,
): number {
  const wave = (2 * Math.PI) / frequency;
  if (wave < originalLength / highFreqFactor) return frequency;
  if (wave > originalLength / lowFreqFactor) return frequency / factor;
  const smooth = (originalLength / wave - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

export function rotaryTable(config: ModelConfig, positions: number): tf.Tensor {
  const frequencies = inverseFrequencies(config);
  const { headDim } = config;
  const table = new Float32Array(positions * headDim);
  for (let position = 0; position < positions; position++)
    frequencies.forEach((frequency, i) => {
      table[position * headDim + i] = Math.cos(position * frequency);
      table[position * headDim + headDim / 2 + i] = Math.sin(position * frequency);
    });
  return tf.tensor2d(table, [positions, headDim]);
}
