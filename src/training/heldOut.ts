/** Mean loss over the supervised tokens of held-out rows, in nats. Forward only; changes nothing. */
import * as tf from '@tensorflow/tfjs-core';
import { hiddenStates, type Runnable } from '../model/forward';
import type { RotaryTables } from '../model/rotary';
import type { PackedRows } from '../protocol/data';
import { disposeBatch, makeBatch, type Batch } from './batch';
import { chunkRows } from './chunkRows';
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
  const chunk = chunkRows(model.config.vocab, rowsAtOnce * packed.length);
  let batch: Batch | undefined;
  for (let start = 0; start < packed.rows; start += rowsAtOnce) {
    const rows = Array.from({ length: Math.min(rowsAtOnce, packed.rows - start) }, (_, i) => start + i);
    const own = makeBatch(packed, rows, rowsAtOnce, 1, model.config, tables, chunk, batch);
    batch = own;
    sums.push(logpOfBatch(model, own));
  }
  if (batch) disposeBatch(batch);
  let total = 0;
  for (const sum of sums) total -= (await sum.data())[0] ?? NaN;
  tf.dispose(sums);
  return total / packed.supervised;
}

/** Σ logp of what is learned in a batch. */
export function logpOfBatch(model: Runnable, { ids, sight, chunks }: Batch): tf.Tensor {
  const hidden = hiddenStates(model, ids, sight);
  const sum = tf.tidy(() => {
    const want = { dx: false, weights: false };
    return tf.sum(headLoss(model.config, model.outside, hidden, chunks, want).logp);
  });
  hidden.dispose();
  return sum;
}
