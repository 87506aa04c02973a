/** crossEntropy.ts on the GPU. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import code from '../../shaders/crossEntropy.wgsl?raw';
import { dispatch, output } from '../gpu/dispatch';
import { rowLayout, withReduce } from './rows.kernel';
import { given, size } from './sizes';

export function crossEntropyKernel({ logits, targets, weights }: NamedTensorInfoMap): TensorInfo[] {
  const [rows, vocab] = [size(logits, 0), size(logits, 1)];
  const logp = output([rows]);
  const dz = output([rows, vocab]);
  dispatch({
    name: 'crossEntropy',
    code: withReduce(code),
    bind: [given(logits), given(targets), given(weights), logp, dz],
    uniforms: [rows, vocab],
    ...rowLayout(rows),
  });
  return [logp, dz];
}
