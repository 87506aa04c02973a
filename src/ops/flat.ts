/**
 * The optimiser's arithmetic over flat buffers that hold every trained number: gradients are added up, their norm is taken
 * on the device, and AdamW writes in place. Stock operations do the same on the processor, and where the kernels are wrong.
 *
 *   m = β1 m + (1−β1) g     v = β2 v + (1−β2) g²     p = p − lr (m̂ / (√v̂ + ε) + decay p)
 *
 * (Loshchilov & Hutter, arXiv 1711.05101; the order of PyTorch's AdamW.) g is first scaled by min(1, clip / norm). A norm
 * that is not finite leaves p, m and v as they are.
 */
import * as tf from '@tensorflow/tfjs-core';
import accumulateCode from '../../shaders/accumulate.wgsl?raw';
import adamwCode from '../../shaders/adamw.wgsl?raw';
import normCode from '../../shaders/gradientNorm.wgsl?raw';
import normFinishCode from '../../shaders/gradientNormFinish.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../gpu/dispatch';
import { output, release } from '../gpu/tensors';
import { refill } from '../gpu/refill';
import { accumulateReference, adamwReference, normReference } from './flat.reference';
import { byKernel } from './ways';

export interface AdamwScalars {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 1-based count of updates, for the bias correction. */
  update: number;
}

/** Four tensors of one length [count] each, a multiple of 64, and the numbers of an update. On the GPU they keep their buffers for the whole run. */
export interface FlatState {
  parameters: tf.Tensor;
  gradient: tf.Tensor;
  mean: tf.Tensor;
  square: tf.Tensor;
  /** [SCALARS]: the numbers of the update under way, see adamw.wgsl */
  scalars: tf.Tensor;
}

export const SCALARS = 7;

const PARTS = 1024;

/** gradient[offset …] += values. `offset` in numbers. */
export function accumulate(state: FlatState, values: tf.Tensor, offset: number): void {
  if (!byKernel('adamw')) {
    accumulateReference(state, values, offset);
    return;
  }
  dispatch({
    name: 'accumulate',
    code: accumulateCode,
    bind: [values, state.gradient],
    uniforms: [values.size, offset],
    groups: foldGroups(Math.ceil(values.size / 64)),
    inPlace: [state.gradient],
  });
}

/** → [scale, norm, finite]: what adamw multiplies gradients with, the norm before it, and 1 or 0. `clip` 0: no limit. */
export function gradientNorm(state: FlatState, clip: number): tf.Tensor {
  if (!byKernel('adamw')) return normReference(state.gradient, clip);
  const parts = output([PARTS]);
  const result = output([3]);
  const count = [state.gradient.size / 4];
  dispatch({
    name: 'gradientNorm',
    code: normCode,
    constants: { PARTS },
    bind: [state.gradient, parts],
    uniforms: count,
    groups: [PARTS / 64, 1, 1],
  });
  dispatch({
    name: 'gradientNormFinish',
    code: normFinishCode,
    constants: { PARTS },
    bind: [parts, result],
    uniforms: [floatBits(clip)],
    groups: [1, 1, 1],
  });
  release(parts);
  return tf.engine().makeTensorFromTensorInfo(result);
}

/** One update with the gradient added up so far, which is emptied. `norm` is gradientNorm's result. */
export function adamw(state: FlatState, norm: tf.Tensor, scalars: AdamwScalars): void {
  if (!byKernel('adamw')) {
    adamwReference(state, norm, scalars);
    return;
  }
  const { learningRate, beta1, beta2, epsilon, weightDecay, update } = scalars;
  // values that change every step are data, so that the uniform cache stays small
  const numbers = new Float32Array([
    learningRate,
    beta1,
    beta2,
    epsilon,
    weightDecay,
    1 - beta1 ** update,
    Math.sqrt(1 - beta2 ** update),
  ]);
  state.scalars = refill(state.scalars, numbers, [numbers.length]);
  const { parameters, gradient, mean, square } = state;
  dispatch({
    name: 'adamw',
    code: adamwCode,
    bind: [state.scalars, norm, parameters, gradient, mean, square],
    uniforms: [parameters.size / 4],
    groups: foldGroups(Math.ceil(parameters.size / 256)),
    inPlace: [parameters, gradient, mean, square],
  });
}
