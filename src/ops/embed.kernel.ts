/** embed.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/embed.wgsl?raw';
import backwardCode from '../../shaders/embedGrad.wgsl?raw';
import { dispatch, foldGroups, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import type { EmbedAttrs } from './embed';

export function embedKernel(
  { table, ids }: NamedTensorInfoMap,
  { vocab, hidden, half }: EmbedAttrs,
): TensorInfo {
  const rows = size(ids, 0);
  const x = output([rows, hidden]);
  dispatch({
    name: 'embed',
    code: forwardCode,
    constants: { HALF: half },
    bind: [given(table), given(ids), x],
    uniforms: [rows, vocab, hidden],
    groups: foldGroups(Math.ceil((rows * hidden) / 64)),
  });
  return x;
}

export function embedGradKernel({ dy, ids }: NamedTensorInfoMap, { vocab, hidden }: EmbedAttrs): TensorInfo {
  const rows = size(ids, 0);
  const table = output([vocab, hidden]);
  dispatch({
    name: 'embedGrad',
    code: backwardCode,
    bind: [given(dy), given(ids), table],
    uniforms: [rows, vocab, hidden],
    groups: foldGroups(Math.ceil(vocab / 64)),
  });
  return table;
}
