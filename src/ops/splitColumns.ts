/**
 * Cuts a matrix into neighbouring blocks of columns: x [rows, Σ widths] → one [rows, width] each. What a fused projection gives is
 * taken apart so. The gradient puts the blocks side by side again.
 */
import * as tf from '@tensorflow/tfjs-core';
import { defineOperation, only, readAttrs } from './define';
import { joinColumnsReference, splitColumnsReference } from './splitColumns.reference';
import { joinColumnsKernel, splitColumnsKernel } from './splitColumns.kernel';

export interface SplitAttrs {
  widths: number[];
}

const split = defineOperation<SplitAttrs>({
  name: 'SplitColumns',
  reference: splitColumnsReference,
  kernel: splitColumnsKernel,
});
/** Inputs '0', '1', … in the order of `widths`. */
const join = defineOperation<SplitAttrs>({
  name: 'JoinColumns',
  reference: joinColumnsReference,
  kernel: joinColumnsKernel,
});

tf.registerGradient({
  kernelName: 'SplitColumns',
  gradFunc: (dys, _saved, attrs) => {
    const parts = dys as tf.Tensor[];
    return {
      x: () => only(join(Object.fromEntries(parts.map((part, i) => [String(i), part])), readAttrs(attrs))),
    };
  },
});

export function splitColumns(x: tf.Tensor, widths: number[]): tf.Tensor[] {
  const sum = widths.reduce((total, width) => total + width, 0);
  if (x.shape[1] !== sum)
    throw new Error(`${x.shape[1]} columns cannot be split into ${widths.join(' + ')} = ${sum}.`);
  return split({ x }, { widths });
}
