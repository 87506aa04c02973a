/** Lays packed rows end to end as the tensors of one micro-batch; always `count` rows, so that shapes never change. */
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../model/config';
import type { RotaryTables } from '../model/rotary';
import { disposeSight, sightOfRows, type Sight } from '../model/sight';
import type { PackedRows } from '../protocol/data';

export interface Batch {
  /** [tokens] int32 */
  ids: tf.Tensor1D;
  /** [tokens] int32, -1 where nothing is learned */
  targets: tf.Tensor1D;
  /** [tokens]: weight of each token in the loss; rows that only fill up weigh 0 */
  weights: tf.Tensor1D;
  sight: Sight;
}

export function supervisedIn(packed: PackedRows, rows: readonly number[]): number {
  let count = 0;
  for (const row of rows)
    for (let t = 0; t < packed.length; t++) if ((packed.targets[row * packed.length + t] ?? -1) >= 0) count++;
  return count;
}

/** Each supervised token weighs `weight`. Missing rows repeat row 0 with weight 0. Dispose with `disposeBatch`. */
export function makeBatch(
  packed: PackedRows,
  rows: readonly number[],
  count: number,
  weight: number,
  config: ModelConfig,
  tables: RotaryTables,
): Batch {
  const { length } = packed;
  const filled = Array.from({ length: count }, (_, index) => rows[index] ?? 0);
  const tokens = count * length;
  const ids = new Int32Array(tokens);
  const targets = new Int32Array(tokens).fill(-1);
  filled.forEach((row, index) => {
    ids.set(packed.ids.subarray(row * length, (row + 1) * length), index * length);
    if (index < rows.length)
      targets.set(packed.targets.subarray(row * length, (row + 1) * length), index * length);
  });
  return {
    ids: tf.tensor1d(ids, 'int32'),
    targets: tf.tensor1d(targets, 'int32'),
    weights: tf.tensor1d(Float32Array.from(targets, (target) => (target >= 0 ? weight : 0))),
    sight: sightOfRows(config, packed, filled, tables),
  };
}

export function disposeBatch({ ids, targets, weights, sight }: Batch): void {
  tf.dispose([ids, targets, weights]);
  disposeSight(sight);
}
