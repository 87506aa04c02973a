/** Mean loss over the supervised tokens of held-out rows, in nats. Forward only; changes nothing. */
import * as tf from '@tensorflow/tfjs-core';
import { hiddenStates, type Runnable } from '../model/forward';
import type { RotaryTables } from '../model/rotary';
import type { PackedRows } from '../protocol/data';
import { disposeBatch, makeBatch } from './batch';
import { headLoss } from './head';

/** Null when there is no held-out token. */
export async function heldOutLoss(
  model: Runnable,
  packed: PackedRows,
  rowsAtOnce: number,
  tables: RotaryTables,
): Promise<number | null> {
  if (packed.supervised === 0) return null;
  const sums: tf.Tensor[] = [];
  for (let start = 0; start < packed.rows; start += rowsAtOnce) {
    const rows = Array.from({ length: Math.min(rowsAtOnce, packed.rows - start) }, (_, i) => start + i);
    const batch = makeBatch(packed, rows, rowsAtOnce, 1, model.config, tables);
    const hidden = hiddenStates(model, batch.ids, batch.sight);
    sums.push(
      tf.tidy(() => {
        const want = { dx: false, weights: false };
        const { logp } = headLoss(model.config, model.outside, hidden, batch.targets, batch.weights, want);
        return tf.sum(logp);
      }),
    );
    hidden.dispose();
    disposeBatch(batch);
  }
  let total = 0;
  for (const sum of sums) total -= (await sum.data())[0] ?? NaN;
  tf.dispose(sums);
  return total / packed.supervised;
}
