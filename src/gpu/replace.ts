/** What stock operations made takes the place of a tensor that others hold on to. */
import * as tf from '@tensorflow/tfjs-core';
import { copyTensor } from './tensors';

/**
 * A tensor with the numbers of `made`, which is consumed: `old` itself, overwritten after all work recorded so far, on the GPU,
 * where views of it and bindings stay; `made` on the processor. The caller owns the result and must not use `old` again.
 */
export function replace<T extends tf.Tensor>(old: T, made: T): T {
  if (tf.getBackend() !== 'webgpu') {
    old.dispose();
    return tf.keep(made);
  }
  copyTensor(made, old);
  made.dispose();
  return old;
}
