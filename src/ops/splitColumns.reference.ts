/** The twins of splitColumns.ts in stock TensorFlow.js. */
import * as tf from '@tensorflow/tfjs-core';
import type { Inputs } from './define';
import type { SplitAttrs } from './splitColumns';

export function splitColumnsReference({ x }: Inputs, { widths }: SplitAttrs): tf.Tensor[] {
  if (!x) throw new Error('splitColumns misses its input.');
  return tf.split(x, widths, 1);
}

export function joinColumnsReference(inputs: Inputs, { widths }: SplitAttrs): tf.Tensor {
  const parts = widths.map((_, index) => {
    const part = inputs[String(index)];
    if (!part) throw new Error(`joinColumns misses its part ${index}.`);
    return part;
  });
  return tf.concat(parts, 1);
}
