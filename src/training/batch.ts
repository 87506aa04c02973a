/**
 * Lays packed rows end to end as the tensors of one micro-batch; always `count` rows, so that shapes never change. What is
 * learned is listed apart, in chunks of constant length, so that the head computes those tokens only.
 */
import * as tf from '@tensorflow/tfjs-core';
import { refill } from '../gpu/refill';
import type { ModelConfig } from '../model/config';
import type { RotaryTables } from '../model/rotary';
import { disposeSight, sightOfRows, type Sight } from '../model/sight';
import type { PackedRows } from '../protocol/data';

/** Supervised tokens of a micro-batch, filled up to the chunk's length with places past its end that weigh 0. */
export interface Chunk {
  /** [chunk] int32: index of the token in the micro-batch */
  at: tf.Tensor;
  /** [chunk] int32: id to be predicted there, -1 where filled up */
  targets: tf.Tensor;
  /** [chunk]: weight in the loss */
  weights: tf.Tensor;
}

export interface Batch {
  /** [tokens] int32 */
  ids: tf.Tensor;
  /** What is learned; at least one chunk, so that the head always has something to run on. */
  chunks: Chunk[];
  sight: Sight;
  /** Chunks made so far; those past `chunks` wait for a batch with more to learn. */
  made: Chunk[];
}

export function supervisedIn(packed: PackedRows, rows: readonly number[]): number {
  let count = 0;
  for (const row of rows)
    for (let t = 0; t < packed.length; t++) if ((packed.targets[row * packed.length + t] ?? -1) >= 0) count++;
  return count;
}

/**
 * Each supervised token weighs `weight`; missing rows repeat row 0 and teach nothing. `chunk` is `chunkRows` of head.ts.
 * `into` is an earlier batch of the same shape: its tensors are written again. Dispose with `disposeBatch`.
 */
export function makeBatch(
  packed: PackedRows,
  rows: readonly number[],
  count: number,
  weight: number,
  config: Pick<ModelConfig, 'kinds'>,
  tables: RotaryTables,
  chunk: number,
  into?: Batch,
): Batch {
  const { length } = packed;
  const filled = Array.from({ length: count }, (_, index) => rows[index] ?? 0);
  const tokens = count * length;
  const ids = new Int32Array(tokens);
  const at: number[] = [];
  const targets: number[] = [];
  filled.forEach((row, index) => {
    ids.set(packed.ids.subarray(row * length, (row + 1) * length), index * length);
    if (index >= rows.length) return;
    for (let t = 0; t < length; t++) {
      const target = packed.targets[row * length + t] ?? -1;
      if (target < 0) continue;
      at.push(index * length + t);
      targets.push(target);
    }
  });
  const made = [...(into?.made ?? [])];
  const chunks = Array.from({ length: Math.max(1, Math.ceil(at.length / chunk)) }, (_, index) => {
    const own = (list: readonly number[], other: number) =>
      Int32Array.from({ length: chunk }, (_, i) => list[index * chunk + i] ?? other);
    const ours = own(targets, -1);
    const old = made[index];
    return (made[index] = {
      at: refill(old?.at, own(at, tokens), [chunk]),
      targets: refill(old?.targets, ours, [chunk]),
      weights: refill(
        old?.weights,
        Float32Array.from(ours, (target) => (target < 0 ? 0 : weight)),
        [chunk],
      ),
    });
  });
  return {
    ids: refill(into?.ids, ids, [tokens]),
    chunks,
    made,
    sight: sightOfRows(config, packed, filled, tables, into?.sight),
  };
}

export function disposeBatch({ ids, made, sight }: Batch): void {
  tf.dispose([ids, ...made.flatMap(({ at, targets, weights }) => [at, targets, weights])]);
  disposeSight(sight);
}
