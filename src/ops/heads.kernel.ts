/** heads.ts on the GPU: one kernel forward, one back. What a variant does not read is bound to something that is there. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import joinText from '../../shaders/joinHeads.wgsl?raw';
import sharedCode from '../../shaders/shared/heads.wgsl?raw';
import splitText from '../../shaders/splitHeads.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../gpu/dispatch';
import { output } from '../gpu/tensors';
import type { Constants } from '../gpu/pipelines';
import { byRows } from './rows.kernel';
import { given, size } from './sizes';
import type { HeadsAttrs } from './heads';

const splitCode = `${sharedCode}\n${splitText}`;
const joinCode = `${sharedCode}\n${joinText}`;

/** Invocations of a workgroup. */
const FULL_GROUP = 64;

function turnsOf({ positions, table }: NamedTensorInfoMap): { bind: [TensorInfo, TensorInfo]; half: number } {
  const turned = size(table, 1);
  // a table without columns has no buffer
  return { bind: [given(positions), given(turned > 0 ? table : positions)], half: turned / 2 };
}

export function splitHeadsKernel(inputs: NamedTensorInfoMap, attrs: HeadsAttrs): TensorInfo[] {
  return splitHeadsTo(inputs, attrs, null);
}

/** `places`: where keys and values go instead of tensors of their own. */
export function splitHeadsTo(
  inputs: NamedTensorInfoMap,
  attrs: HeadsAttrs,
  places: { keys: TensorInfo; values: TensorInfo; at: TensorInfo } | null,
): TensorInfo[] {
  const { x, g } = inputs;
  const { heads, kvHeads, headDim } = attrs;
  const rows = size(x, 0);
  const turns = turnsOf(inputs);
  const part = (count: number) => output([rows, count * headDim]);
  const q = part(heads);
  const [k, v] = places ? [places.keys, places.values] : [part(kvHeads), part(kvHeads)];
  dispatch({
    name: 'splitHeads',
    ...layout(splitCode, rows, attrs, g !== undefined, { PLACED: places !== null }),
    bind: [given(x), ...turns.bind, given(g ?? inputs['positions']), places?.at ?? turns.bind[0], q, k, v],
    uniforms: shapeOf(rows, turns.half, attrs, size(k, 0)),
    inPlace: places ? [k, v] : [],
  });
  return [q, k, v];
}

export function joinHeadsKernel(inputs: NamedTensorInfoMap, attrs: HeadsAttrs): TensorInfo {
  const { dq, dk, dv, x, g } = inputs;
  const { heads, kvHeads, headDim } = attrs;
  const rows = size(dq, 0);
  const turns = turnsOf(inputs);
  const dx = output([rows, (heads + 2 * kvHeads) * headDim]);
  const read = [dq, dk, dv].map(given);
  dispatch({
    name: 'joinHeads',
    ...layout(joinCode, rows, attrs, g !== undefined),
    bind: [...read, ...turns.bind, given(g ?? dq), given(x ?? dq), dx],
    uniforms: shapeOf(rows, turns.half, attrs),
  });
  return dx;
}

/** Without a norm nothing is added up over a head, so a workgroup takes as many heads as fill it. */
function layout(
  code: string,
  rows: number,
  { heads, kvHeads, headDim }: HeadsAttrs,
  normed: boolean,
  more: Constants = {},
) {
  const count = rows * (heads + 2 * kvHeads);
  const { constants, ...own } = byRows('heads', code, count, headDim);
  if (normed) return { ...own, constants: { ...constants, ...more, NORM: true } };
  const lanes = Number(constants?.['LANES']);
  const together = Math.max(Number(constants?.['ROWS']), Math.floor(FULL_GROUP / lanes));
  const groups = foldGroups(Math.ceil(count / together));
  return { ...own, groups, constants: { LANES: lanes, ROWS: together, ...more, NORM: false } };
}

function shapeOf(
  rows: number,
  half: number,
  { heads, kvHeads, headDim, norm }: HeadsAttrs,
  keys = rows,
): number[] {
  return [rows, heads, kvHeads, headDim, half, floatBits(norm.epsilon), floatBits(norm.offset), keys];
}
