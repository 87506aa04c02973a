/**
 * A model of any size with random weights, made tensor by tensor on the way to the device: never a file, never whole in memory. Each time
 * a tensor is asked for, it is the same. And random rows for it.
 */
import { sourceOfValues, type WeightSource } from '../checkpoint/source';
import type { ModelConfig } from '../model/config';
import { formatOfTensor, weightShapes } from '../model/shapes';
import type { PackedRows } from '../protocol/data';
import { weightBytes, type WeightFormat } from '../protocol/weightFormats';
import { randomFrom } from '../random';
import type { Bytes } from '../units';
import { numbers } from './task';

export function syntheticSource(config: ModelConfig): WeightSource {
  const shapes = weightShapes(config);
  const random = randomFrom(1);
  const places = new Map([...shapes.keys()].map((name) => [name, random()]));
  return sourceOfValues(shapes, async (name) => {
    const [rows = 1, cols] = shapes.get(name) ?? [];
    const place = places.get(name);
    if (cols !== undefined) return numbers(rows * cols, 1 / Math.sqrt(cols), place);
    // gains lie about 1, biases about 0
    const values = numbers(rows, 1, place);
    return name.endsWith('norm.weight') ? values.map((value) => 1 + value / 4) : values;
  });
}

/** Bytes of all matrices on the device; the rest is small. A tied head is the embedding. */
export function matrixBytes(config: ModelConfig, format: WeightFormat): Bytes {
  let bytes = 0;
  for (const [name, [rows = 0, cols]] of weightShapes(config)) {
    if (cols === undefined) continue;
    bytes += weightBytes(formatOfTensor(name, format), rows, cols);
  }
  return bytes;
}

/** Rows of `length` random ids in which every token is learned. */
export function randomRows(rows: number, length: number, vocab: number): PackedRows {
  const random = randomFrom(7);
  const ids = Int32Array.from({ length: rows * length }, () => Math.floor(random() * vocab));
  const targets = ids.map((_, index) => ((index + 1) % length === 0 ? -1 : (ids[index + 1] ?? -1)));
  const documentStart = new Int32Array(rows * length);
  return { rows, length, ids, targets, documentStart, examples: rows, supervised: rows * (length - 1) };
}
