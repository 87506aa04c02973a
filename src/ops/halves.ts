/**
 * Numbers that wait: kept as half floats (IEEE 754 binary16), two in a word, and read back as they were up to 11 bits. Needs no
 * shader-f16. Not taped. Where no kernel of ours runs they wait as they are.
 */
import * as tf from '@tensorflow/tfjs-core';
import fromHalvesCode from '../../shaders/fromHalves.wgsl?raw';
import toHalvesCode from '../../shaders/toHalves.wgsl?raw';
import { dispatch, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { byKernel } from './ways';

/** x of any shape → words [⌈numbers / 2⌉] int32. Numbers beyond ±65504 become that. */
export function toHalves(x: tf.Tensor): tf.Tensor {
  if (!byKernel('rows')) return tf.clone(x);
  const words = output([Math.ceil(x.size / 2)], 'int32');
  run('toHalves', toHalvesCode, x, words, x.size);
  return tf.engine().makeTensorFromTensorInfo(words);
}

/** What `toHalves` made of a tensor of this shape → that tensor. */
export function fromHalves(words: tf.Tensor, shape: number[]): tf.Tensor {
  if (words.dtype !== 'int32') return tf.clone(words);
  const y = output(shape);
  run('fromHalves', fromHalvesCode, words, y, tf.util.sizeFromShape(shape));
  return tf.engine().makeTensorFromTensorInfo(y);
}

function run(name: string, code: string, from: tf.TensorInfo, to: tf.TensorInfo, count: number): void {
  const groups = foldGroups(Math.ceil(count / 128));
  dispatch({ name, code, bind: [from, to], uniforms: [count], groups });
}
