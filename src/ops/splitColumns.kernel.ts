/** splitColumns.ts on the GPU: one kernel copies a block of columns, in either direction. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import code from '../../shaders/copyColumns.wgsl?raw';
import { dispatch, foldGroups, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import type { SplitAttrs } from './splitColumns';

export function splitColumnsKernel({ x }: NamedTensorInfoMap, { widths }: SplitAttrs): TensorInfo[] {
  const [rows, cols] = [size(x, 0), size(x, 1)];
  return offsetsOf(widths).map(({ offset, width }) => {
    const part = output([rows, width]);
    copy(given(x), part, { rows, width, from: [offset, cols], to: [0, width] });
    return part;
  });
}

export function joinColumnsKernel(parts: NamedTensorInfoMap, { widths }: SplitAttrs): TensorInfo {
  const rows = size(parts['0'], 0);
  const cols = widths.reduce((sum, width) => sum + width, 0);
  const whole = output([rows, cols]);
  offsetsOf(widths).forEach(({ offset, width }, index) => {
    copy(given(parts[String(index)]), whole, { rows, width, from: [0, width], to: [offset, cols] });
  });
  return whole;
}

function offsetsOf(widths: number[]): { offset: number; width: number }[] {
  let offset = 0;
  return widths.map((width) => {
    const block = { offset, width };
    offset += width;
    return block;
  });
}

/** `from` and `to`: first column and width of the matrix there. */
function copy(
  source: TensorInfo,
  target: TensorInfo,
  { rows, width, from, to }: { rows: number; width: number; from: number[]; to: number[] },
): void {
  dispatch({
    name: 'copyColumns',
    code,
    bind: [source, target],
    uniforms: [rows, width, ...from, ...to],
    groups: foldGroups(Math.ceil((rows * width) / 64)),
  });
}
