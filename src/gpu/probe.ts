/** Two kernels that compute nothing of use: how fast this adapter moves bytes, and how fast it multiplies and adds. */
import type * as tf from '@tensorflow/tfjs-core';
import arithmeticCode from '../../shaders/arithmeticProbe.wgsl?raw';
import copyCode from '../../shaders/copyProbe.wgsl?raw';
import type { Bytes } from '../units';
import { dispatch, foldGroups } from './dispatch';
import { output, release } from './tensors';

const ROUNDS = 256;

/** Records one copy of `bytes` (a multiple of 16): as many are read as written. */
export function probeCopy(from: tf.Tensor, bytes: Bytes): void {
  const to = output([bytes / 4]);
  const count = bytes / 16;
  const groups = foldGroups(Math.ceil(count / 64));
  dispatch({ name: 'copyProbe', code: copyCode, bind: [from, to], uniforms: [count], groups });
  release(to);
}

/** Records `invocations` threads of arithmetic; returns the floating-point operations they do. */
export function probeArithmetic(seed: tf.Tensor, invocations: number): number {
  const sums = output([invocations * 4]);
  dispatch({
    name: 'arithmeticProbe',
    code: arithmeticCode,
    constants: { STEPS: ROUNDS },
    bind: [seed, sums],
    uniforms: [invocations],
    groups: [Math.ceil(invocations / 64), 1, 1],
  });
  release(sums);
  return invocations * ROUNDS * 8 * 4 * 2;
}
