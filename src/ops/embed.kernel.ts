/** embed.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/embed.wgsl?raw';
import backwardCode from '../../shaders/embedGrad.wgsl?raw';
import sharedScaleCode from '../../shaders/shared/sharedScale.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import { WEIGHT_FORMATS } from '../protocol/weightFormats';
import { plainRight } from './product/product';
import { given, size } from './sizes';
import type { EmbedAttrs, EmbedGradAttrs } from './embed';

const code = `${sharedScaleCode}\n${forwardCode}`;

export function embedKernel({ table, ids }: NamedTensorInfoMap, { weight, scale }: EmbedAttrs): TensorInfo {
  const { format, n, k, parts } = weight ?? plainRight(given(table));
  const rows = size(ids, 0);
  const x = output([rows, k]);
  for (const { row, rows: vocab, planes } of parts)
    dispatch({
      name: 'embed',
      code,
      constants: { FORMAT: WEIGHT_FORMATS.indexOf(format) },
      bind: [given(planes[0]), given(planes[1] ?? planes[0]), given(ids), x],
      uniforms: [rows, row, vocab, n, k, floatBits(scale)],
      groups: foldGroups(Math.ceil((rows * k) / 64)),
    });
  return x;
}

export function embedGradKernel(
  { dy, ids }: NamedTensorInfoMap,
  { vocab, scale }: EmbedGradAttrs,
): TensorInfo {
  const [rows, hidden] = [size(dy, 0), size(dy, 1)];
  const table = output([vocab, hidden]);
  dispatch({
    name: 'embedGrad',
    code: backwardCode,
    bind: [given(dy), given(ids), table],
    uniforms: [rows, vocab, hidden, floatBits(scale)],
    groups: foldGroups(Math.ceil(vocab / 64)),
  });
  return table;
}
