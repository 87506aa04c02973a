/** A model of any size with random weights, made tensor by tensor on the way to the device: never a file, never whole in memory. */
import type { WeightSource } from '../checkpoint/source';
import type { ModelConfig } from '../model/config';
import { weightShapes } from '../model/weights';
import { outsideFormat, weightBytes, type WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import { numbers } from './task';

export function syntheticSource(config: ModelConfig): WeightSource {
  const shapes = weightShapes(config);
  const shapeOf = (name: string) => {
    const shape = shapes.get(name);
    if (!shape) throw new Error(`The synthetic model has no tensor ${name}.`);
    return shape;
  };
  return {
    names: () => [...shapes.keys()],
    shape: shapeOf,
    read: async (name) => {
      const [rows = 1, cols] = shapeOf(name);
      if (cols !== undefined) return numbers(rows * cols, 1 / Math.sqrt(cols));
      // gains lie about 1, biases about 0
      const values = numbers(rows);
      return name.endsWith('norm.weight') ? values.map((value) => 1 + value / 4) : values;
    },
  };
}

/** Bytes of all matrices on the device; the rest is small. A tied head is the embedding. */
export function matrixBytes(config: ModelConfig, format: WeightFormat): Bytes {
  let bytes = 0;
  for (const [name, [rows = 0, cols]] of weightShapes(config)) {
    if (cols === undefined) continue;
    const outside = /embed_tokens|lm_head/.test(name);
    bytes += weightBytes(outside ? outsideFormat(format) : format, rows, cols);
  }
  return bytes;
}
