/**
 * Some rows out of many and back: the supervised rows of a batch for the head, new keys and values into a cache. An index past
 * the end stands for no row, so that lists can be filled up to a constant length. Not taped.
 */
import * as tf from '@tensorflow/tfjs-core';
import fillCode from '../../shaders/fill.wgsl?raw';
import gatherCode from '../../shaders/gatherRows.wgsl?raw';
import scatterCode from '../../shaders/scatterRows.wgsl?raw';
import { dispatch, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { replace } from '../gpu/replace';
import { byKernel } from './ways';

/** x [rows, width], at [count] int32 → [count, width]. An index past the end reads the last row. */
export function gatherRows(x: tf.Tensor, at: tf.Tensor): tf.Tensor {
  const [rows = 0, width = 1] = x.shape;
  const [count = 0] = at.shape;
  if (!byKernel('rows')) return tf.tidy(() => tf.gather(x, tf.minimum(at, tf.scalar(rows - 1, 'int32'))));
  const y = output([count, width]);
  dispatch({
    name: 'gatherRows',
    code: gatherCode,
    bind: [x, at, y],
    uniforms: [count, rows, width],
    groups: foldGroups(Math.ceil((count * width) / 64)),
  });
  return tf.engine().makeTensorFromTensorInfo(y);
}

/**
 * target[at[i]] = rows[i]; each place once, an index past the end is left out. target [rows, width], rows [count, width], at
 * [count] int32. Returns the tensor to use from now on: the target itself on the GPU, a new one in its place on the processor.
 */
export function scatterRows<T extends tf.Tensor>(target: T, rows: tf.Tensor, at: tf.Tensor): T {
  const [capacity = 0] = target.shape;
  const [count = 0] = at.shape;
  if (byKernel('rows')) {
    const width = target.size / Math.max(1, capacity);
    dispatch({
      name: 'scatterRows',
      code: scatterCode,
      bind: [rows, at, target],
      uniforms: [count, capacity, width],
      groups: foldGroups(Math.ceil((count * width) / 64)),
      inPlace: [target],
    });
    return target;
  }
  const written = tf.tidy(() => {
    // what is left out goes to a row past the end, which is cut off
    const wide = tf.reshape(target, [capacity, -1]);
    const longer = tf.pad(wide, [
      [0, 1],
      [0, 0],
    ]);
    const indices = tf.reshape(tf.minimum(at, tf.scalar(capacity, 'int32')), [count, 1]);
    const all = tf.tensorScatterUpdate(longer, indices, tf.reshape(rows, [count, -1]));
    return tf.reshape(tf.slice(all, [0, 0], [capacity, -1]), target.shape) as T;
  });
  return replace(target, written);
}

/** Zeros made on the device, without an upload. */
export function zerosOnDevice(shape: number[]): tf.Tensor {
  if (!byKernel('rows')) return tf.zeros(shape);
  const y = output(shape);
  const count = tf.util.sizeFromShape(shape);
  dispatch({
    name: 'fill',
    code: fillCode,
    bind: [y],
    uniforms: [count],
    groups: foldGroups(Math.ceil(count / 64)),
  });
  return tf.engine().makeTensorFromTensorInfo(y);
}
