/**
 * Keys or values of the tokens read so far: a tensor [capacity, width] that grows in place on the GPU. On the processor each
 * append makes a new tensor.
 */
import * as tf from '@tensorflow/tfjs-core';
import code from '../../shaders/kvAppend.wgsl?raw';
import { dispatch, foldGroups } from '../gpu/dispatch';

/** cache[at[row]] = rows[row]. cache [capacity, width], rows [n, width], at [n] int32. Returns the cache to use from now on. */
export function kvAppend(cache: tf.Tensor2D, rows: tf.Tensor, at: tf.Tensor1D): tf.Tensor2D {
  const [, width] = cache.shape;
  if (tf.getBackend() === 'webgpu') {
    dispatch({
      name: 'kvAppend',
      code,
      bind: [rows, at, cache],
      uniforms: [rows.size, width],
      groups: foldGroups(Math.ceil(rows.size / 64)),
      inPlace: [cache],
    });
    return cache;
  }
  const grown = tf.tidy(() => tf.tensorScatterUpdate(cache, tf.reshape(at, [-1, 1]), rows) as tf.Tensor2D);
  cache.dispose();
  return tf.keep(grown);
}
