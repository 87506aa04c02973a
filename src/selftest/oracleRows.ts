/** The oracle's rows, as transformers lays them, and ours: packed, with targets shifted and padding a document of its own. */
import type { PackedRows } from '../protocol/data';
import { relativeL2 } from './distance';
import type { OracleTensor } from './tensors';

/** [rows, length] with labels as transformers has them (unshifted, -100 ignored) → packed rows. */
export function packOracle(ids: OracleTensor, mask: OracleTensor, labels: OracleTensor): PackedRows {
  const [rows = 0, length = 0] = ids.shape;
  const targets = new Int32Array(rows * length).fill(-1);
  const documentStart = new Int32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const real = Array.from(mask.values.subarray(row * length, (row + 1) * length)).reduce(
      (sum, value) => sum + value,
      0,
    );
    for (let t = 0; t < length; t++) {
      const label = labels.values[row * length + t + 1] ?? -100;
      if (t + 1 < length && label >= 0) targets[row * length + t] = label;
      documentStart[row * length + t] = t < real ? 0 : real;
    }
  }
  const supervised = targets.filter((target) => target >= 0).length;
  return {
    length,
    rows,
    ids: Int32Array.from(ids.values),
    targets,
    documentStart,
    examples: rows,
    supervised,
  };
}

/** One step out of [steps, rows, length]. */
export function sliceStep({ shape, values }: OracleTensor, step: number): OracleTensor {
  const [, rows = 0, length = 0] = shape;
  return { shape: [rows, length], values: values.subarray(step * rows * length, (step + 1) * rows * length) };
}

/** [rows, length − 1] as we hold it: a last column without a target. */
export function inOrder({ shape, values }: OracleTensor, packed: PackedRows): number[] {
  const [rows = 0, width = 0] = shape;
  const result = new Array<number>(rows * packed.length).fill(0);
  for (let row = 0; row < rows; row++)
    for (let t = 0; t < width; t++) result[row * packed.length + t] = values[row * width + t] ?? NaN;
  return result;
}

/** Error over rows that are no padding. */
export function realRows(
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  packed: PackedRows,
  vocab: number,
): number {
  const a: number[] = [];
  const b: number[] = [];
  for (let i = 0; i < packed.rows * packed.length; i++) {
    if ((packed.documentStart[i] ?? 0) > 0) continue;
    for (let c = 0; c < vocab; c++) {
      a.push(ours[i * vocab + c] ?? NaN);
      b.push(theirs[i * vocab + c] ?? NaN);
    }
  }
  return relativeL2(a, b);
}
