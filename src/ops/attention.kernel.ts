/** attention.ts on the GPU: one kernel forward, three backward (row dots, dq, dk and dv), no atomics. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import forwardCode from '../../shaders/attention.wgsl?raw';
import dotCode from '../../shaders/attentionDot.wgsl?raw';
import dqCode from '../../shaders/attentionDq.wgsl?raw';
import dkvCode from '../../shaders/attentionDkv.wgsl?raw';
import { discard, dispatch, type Constants, floatBits, foldGroups, output } from '../gpu/dispatch';
import { given, size } from './sizes';
import type { AttentionAttrs } from './attention';

const LANES = 32;

/** Writes the loops over a head's vectors out: drivers keep an array in registers only where its indices are constants. */
function unrolled(code: string, count: number): string {
  return code.replace(/for \(var c = 0u; c < D4; c\+\+\) \{([^{}]*)\}/g, (_, body: string) =>
    Array.from({ length: count }, (_, index) => `{${body.replace(/\bc\b/g, `${index}u`)}}`).join('\n'),
  );
}

function layout(rows: number, keys: number, { heads, kvHeads, headDim }: AttentionAttrs) {
  return {
    constants: { D4: headDim / 4, LANES } as Constants,
    uniforms: [rows, keys, heads, kvHeads, floatBits(1 / Math.sqrt(headDim))],
  };
}

export function attentionKernel(
  { q, k, v, ranges }: NamedTensorInfoMap,
  attrs: AttentionAttrs,
): TensorInfo[] {
  const rows = size(q, 0);
  const o = output([rows, attrs.heads * attrs.headDim]);
  const lse = output([rows, attrs.heads]);
  const shape = layout(rows, size(k, 0), attrs);
  dispatch({
    name: 'attention',
    code: unrolled(forwardCode, attrs.headDim / 4),
    ...shape,
    constants: { ...shape.constants, TOGETHER: attrs.together },
    bind: [given(q), given(k), given(v), given(ranges), o, lse],
    groups: foldGroups(Math.ceil(rows / LANES) * attrs.heads),
  });
  return [o, lse];
}

export function attentionGradKernel(inputs: NamedTensorInfoMap, attrs: AttentionAttrs): TensorInfo[] {
  const [q, k, v, ranges] = [
    given(inputs['q']),
    given(inputs['k']),
    given(inputs['v']),
    given(inputs['ranges']),
  ];
  const [o, lse, dy] = [given(inputs['o']), given(inputs['lse']), given(inputs['dy'])];
  const rows = size(q, 0);
  const keys = size(k, 0);
  const shape = layout(rows, keys, attrs);
  const dot = output([rows, attrs.heads]);
  dispatch({
    name: 'attentionDot',
    code: unrolled(dotCode, attrs.headDim / 4),
    ...shape,
    bind: [o, dy, dot],
    groups: foldGroups(Math.ceil((rows * attrs.heads) / LANES)),
  });
  const dq = output(q.shape);
  dispatch({
    name: 'attentionDq',
    code: unrolled(dqCode, attrs.headDim / 4),
    ...shape,
    bind: [q, k, v, ranges, dy, lse, dot, dq],
    groups: foldGroups(Math.ceil(rows / LANES) * attrs.heads),
  });
  // one after the other: with both outputs there would be nine storage buffers, and every device has eight
  const dkv = [output(k.shape), output(k.shape)];
  for (const [index, gradient] of dkv.entries())
    dispatch({
      name: index === 0 ? 'attentionDk' : 'attentionDv',
      code: unrolled(dkvCode, attrs.headDim / 4),
      ...shape,
      constants: { ...shape.constants, VALUES: index === 1 },
      bind: [q, k, v, ranges, dy, lse, dot, gradient],
      groups: foldGroups(Math.ceil(keys / LANES) * attrs.kvHeads),
    });
  discard(dot);
  return [dq, ...dkv];
}
