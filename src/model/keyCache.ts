/** Keys and values of generated sequences: one cache for each layer, in which every sequence owns a stretch of rows. */
import type * as tf from '@tensorflow/tfjs-core';
import { scatterRows, zerosOnDevice } from '../ops/pickRows';
import type { ModelConfig } from './config';
import type { KeepKeys } from './decoder';

export interface KeyCache {
  /** Both [rows of all sequences, kvHeads · headDim]. */
  keys: tf.Tensor;
  values: tf.Tensor;
}

/** One for each layer, with `rows` rows. The caller disposes of them. */
export function makeCaches({ layers, kvHeads, headDim }: ModelConfig, rows: number): KeyCache[] {
  const shape = [rows, kvHeads * headDim];
  return Array.from({ length: layers }, () => ({
    keys: zerosOnDevice(shape),
    values: zerosOnDevice(shape),
  }));
}

/** Puts the keys and values of a layer's tokens at their places [tokens] int32; attention then sees all that the cache holds. */
export function keepIn(caches: KeyCache[], places: tf.Tensor): (layer: number) => KeepKeys {
  return (layer) => (keys, values) => {
    const cache = caches[layer];
    if (!cache) throw new Error(`Layer ${layer} has no cache.`);
    cache.keys = scatterRows(cache.keys, keys, places);
    cache.values = scatterRows(cache.values, values, places);
    return [cache.keys, cache.values];
  };
}
