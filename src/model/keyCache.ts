/** Keys and values of generated sequences: one cache for each layer, in which every sequence owns a stretch of rows. */
import type * as tf from '@tensorflow/tfjs-core';
import { splitHeads, splitHeadsInto } from '../ops/heads';
import { scatterRows, zerosOnDevice } from '../ops/pickRows';
import type { ModelConfig } from './config';
import type { Split } from './decoder';

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

/** Puts keys and values of a layer's tokens at their places [tokens] int32; attention then sees all that the cache holds. */
export function splitInto(caches: KeyCache[], places: tf.Tensor): (layer: number) => Split {
  return (layer) => (x, turn, attrs) => {
    const cache = cacheOf(caches, layer);
    const [q, keys, values] = splitHeadsInto(x, turn, attrs, { ...cache, at: places });
    Object.assign(cache, { keys, values });
    return [q, keys, values];
  };
}

/** Puts copies of them there; attention sees the tokens themselves. */
export function splitBeside(caches: KeyCache[], places: tf.Tensor): (layer: number) => Split {
  return (layer) => (x, turn, attrs) => {
    const cache = cacheOf(caches, layer);
    const [q, keys, values] = splitHeads(x, turn, attrs);
    cache.keys = scatterRows(cache.keys, keys, places);
    cache.values = scatterRows(cache.values, values, places);
    return [q, keys, values];
  };
}

function cacheOf(caches: KeyCache[], layer: number): KeyCache {
  const cache = caches[layer];
  if (!cache) throw new Error(`Layer ${layer} has no cache.`);
  return cache;
}
