/** Mean loss over the supervised tokens of held-out rows, in nats. Forward only; changes nothing. */
import * as tf from '@tensorflow/tfjs-core';
import { hiddenStates, type Runnable } from '../model/forward';
import type { RotaryTables } from '../model/rotary';
import type { PackedRows } from '../protocol/data';
import { disposeBatch, makeBatch, type Batch } from './batch';
import { chunkRows, headLoss } from './head';

/** Null when there is no held-out token. */
export async function heldOutLoss(
  model: Runnable,
  packed: PackedRows,
  rowsAtOnce: number,
  tables: RotaryTables,
): Promise<number | null> {
  if (packed.supervised === 0) return null;
  const sums: tf.Tensor[] = [];
  const chunk = chunkRows(model.config.vocab, rowsAtOnce * packed.length);
  let batch: Batch | undefined;
  for (let start = 0; start < packed.rows; start += rowsAtOnce) {
    const rows = Array.from({ length: Math.min(rowsAtOnce, packed.rows - start) }, (_, i) => start + i);
    const own = makeBatch(packed, rows, rowsAtOnce, 1, model.config, tables, chunk, batch);
    batch = own;
    const hidden = hiddenStates(model, own.ids, own.sight);
    sums.push(
      tf.tidy(() => {
        const want = { dx: false, weights: false };
        const { logp } = headLoss(model.config, model.outside, hidden, own.chunks, want);
        return tf.sum(logp);
      }),
    );
    hidden.dispose();
  }
  if (batch) disposeBatch(batch);
  let total = 0;
  for (const sum of sums) total -= (await sum.data())[0] ?? NaN;
  tf.dispose(sums);
  return total / packed.supervised;
}
