/** Tensors that live for a whole run and get new numbers every step, so that no step makes or frees a buffer for its data. */
import * as tf from '@tensorflow/tfjs-core';
import { bringOver, rewrite } from './tensors';

type Numbers = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/**
 * A tensor with these values: `old` itself, overwritten after all work recorded so far, where it lives on the GPU; a new one in
 * its place on the processor and the first time. The caller owns the result and must not use `old` again.
 */
export function refill(old: tf.Tensor | undefined, values: Numbers, shape: number[]): tf.Tensor {
  if (old && tf.getBackend() === 'webgpu') {
    if (old.size !== values.length)
      throw new Error(`A tensor of ${old.size} numbers was given ${values.length} new ones.`);
    rewrite(old, values);
    return old;
  }
  old?.dispose();
  const made = tf.keep(tf.tensor(values, shape, values instanceof Int32Array ? 'int32' : 'float32'));
  if (tf.getBackend() === 'webgpu') bringOver(made);
  return made;
}
