/** rope.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import code from '../../shaders/rope.wgsl?raw';
import { dispatch, floatBits, foldGroups, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import type { RopeAttrs } from './rope';

export function ropeKernel(
  { x, positions, table }: NamedTensorInfoMap,
  { heads, headDim, direction }: RopeAttrs,
): TensorInfo {
  const rows = size(x, 0);
  const y = output([rows, heads * headDim]);
  dispatch({
    name: 'rope',
    code,
    bind: [given(x), given(positions), given(table), y],
    uniforms: [rows, heads, headDim / 2, size(table, 1) / 2, floatBits(direction)],
    groups: foldGroups(Math.ceil((rows * heads * headDim) / 2 / 64)),
  });
  return y;
}
