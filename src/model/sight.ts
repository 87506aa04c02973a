/** What tokens see of each other: positions and visible ranges, for packed rows or a cache, for each kind of layer of a model. */
import * as tf from '@tensorflow/tfjs-core';
import { refill } from '../gpu/refill';
import type { PackedRows } from '../protocol/data';
import type { LayerKind, ModelConfig } from './config';
import type { RotaryTables } from './rotary';

/** How one layer sees the tokens at hand. */
export interface LayerSight {
  /** [rows] int32: position of each token in its document */
  positions: tf.Tensor;
  /** [3, rows] int32: see ops/attention.ts */
  ranges: tf.Tensor;
  /** [maxPosition, turned]: see rotary.ts; undefined where nothing is turned */
  table: tf.Tensor | undefined;
}

/** How a model sees them: one for each kind of layer. Kinds share tensors where they agree; dispose with `disposeSight`. */
export type Sight = LayerSight[];

export interface SightArrays {
  positions: Int32Array<ArrayBuffer>;
  /** [3, count]: first key, last key, last query that sees this key */
  ranges: Int32Array<ArrayBuffer>;
}

/** `rows` are indices into the packed rows; the result covers rows.length · packed.length tokens. */
export function sightOfRows(
  config: Pick<ModelConfig, 'kinds'>,
  packed: PackedRows,
  rows: readonly number[],
  tables: RotaryTables,
  into?: Sight,
): Sight {
  const { length } = packed;
  const starts = new Int32Array(rows.length * length);
  rows.forEach((row, index) => {
    for (let t = 0; t < length; t++)
      starts[index * length + t] = index * length + (packed.documentStart[row * length + t] ?? 0);
  });
  return sightOfDocuments(config, starts, tables, into);
}

/** `starts[i]` is the index of the first token of i's document; documents lie end to end. */
export function sightOfDocuments(
  config: Pick<ModelConfig, 'kinds'>,
  starts: Int32Array,
  tables: RotaryTables,
  into?: Sight,
): Sight {
  return makeSight(config, tables, (window) => sightOfStarts(starts, window), into);
}

/** `see` gives positions and ranges for a window; positions are the same for every window. Tensors of `into` are filled anew. */
export function makeSight(
  { kinds }: Pick<ModelConfig, 'kinds'>,
  tables: RotaryTables,
  see: (window: number | null) => SightArrays,
  into?: Sight,
): Sight {
  const byWindow = new Map<number | null, tf.Tensor>();
  let positions: tf.Tensor | null = null;
  return kinds.map(({ window }: LayerKind, index) => {
    let ranges = byWindow.get(window);
    if (!ranges || !positions) {
      const seen = see(window);
      const old = into?.[index];
      const count = seen.positions.length;
      positions ??= refill(old?.positions, seen.positions, [count]);
      byWindow.set(window, (ranges = refill(old?.ranges, seen.ranges, [3, count])));
    }
    return { positions, ranges, table: tables[index] };
  });
}

/** Tables belong to whoever made them. */
export function disposeSight(sight: Sight): void {
  for (const { positions, ranges } of sight) tf.dispose([positions, ranges]);
}

/** Positions and ranges under one window. */
export function sightOfStarts(starts: Int32Array, window: number | null): SightArrays {
  const count = starts.length;
  const positions = new Int32Array(count);
  const ranges = new Int32Array(3 * count);
  let end = count - 1;
  for (let i = count - 1; i >= 0; i--) {
    const start = starts[i] ?? 0;
    if (i + 1 < count && starts[i + 1] !== start) end = i;
    positions[i] = i - start;
    ranges[i] = window === null ? start : Math.max(start, i - window + 1);
    ranges[count + i] = i;
    ranges[2 * count + i] = window === null ? end : Math.min(end, i + window - 1);
  }
  return { positions, ranges };
}
