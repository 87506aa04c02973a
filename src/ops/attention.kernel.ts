/**
 * attention.ts on the GPU, without atomics: one kernel forward, three backward (row dots, dq, dk with dv), and a sum over the
 * heads of a group where those were taken apart. Two forms of each that give the same: `lanes` for drivers on a processor,
 * `tiles` for graphics cards.
 */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import apartCode from '../../shaders/attentionApart.wgsl?raw';
import dotCode from '../../shaders/attentionDot.wgsl?raw';
import dkvLanesCode from '../../shaders/attentionDkvLanes.wgsl?raw';
import dkvTilesCode from '../../shaders/attentionDkvTiles.wgsl?raw';
import dqLanesCode from '../../shaders/attentionDqLanes.wgsl?raw';
import dqTilesCode from '../../shaders/attentionDqTiles.wgsl?raw';
import forwardLanesCode from '../../shaders/attentionLanes.wgsl?raw';
import forwardTilesCode from '../../shaders/attentionTiles.wgsl?raw';
import groupSumCode from '../../shaders/groupSum.wgsl?raw';
import heldCode from '../../shaders/shared/heldRows.wgsl?raw';
import weightsCode from '../../shaders/shared/keyWeights.wgsl?raw';
import weightsSubgroupCode from '../../shaders/shared/keyWeightsSubgroup.wgsl?raw';
import reduceCode from '../../shaders/shared/rowReduce.wgsl?raw';
import subgroupCode from '../../shaders/shared/rowReduceSubgroup.wgsl?raw';
import tileCode from '../../shaders/shared/attentionTile.wgsl?raw';
import { dispatch, floatBits, foldGroups } from '../gpu/dispatch';
import { gpu } from '../gpu/inside';
import { handRound, MANY_LANES } from '../gpu/lanes';
import { output, release } from '../gpu/tensors';
import type { Constants } from '../gpu/pipelines';
import { shaderText } from '../gpu/shaderText';
import { unroll } from '../gpu/unroll';
import { given, size } from './sizes';
import { wayOf } from './ways';
import type { AttentionAttrs } from './attention';

/** Queries or keys of a workgroup in the `tiles` form, as in shared/attentionTile.wgsl. */
const SIDE = 32;
/** Workgroups that keep a graphics card busy: four for each of 32 compute units. */
const ENOUGH_GROUPS = 128;

const VECTOR_BYTES = 16;

interface Form {
  /** Queries or keys that one workgroup owns. */
  rows: number;
  constants: Constants;
  text(lanes: string, tiles: string): string;
}

/**
 * Results of a lane in the `lanes` form, and keys that it loads for a round: what is loaded for one serves all of the other. More of
 * them save loads; with more than these a driver of four lanes compiles for minutes, and one of eight keeps too much in memory.
 */
const sizesOf = (lanes: number) => (lanes < MANY_LANES ? { OWNED: 2, PARTS: 2 } : { OWNED: 4, PARTS: 3 });

/**
 * Vectors of each array of which the `lanes` form keeps its own rows in workgroup memory, or none where there is not room for all of
 * these arrays: `room` in bytes.
 */
export function heldVectors(arrays: number, rows: number, headDim: number, room: number): number {
  const vectors = (rows * headDim) / 4;
  return arrays * vectors * VECTOR_BYTES <= room ? vectors : 0;
}

/** `arrays`: how many the kernel reads and writes of which every lane owns rows. */
function formOf({ form, headDim }: AttentionAttrs, arrays: number): Form {
  const { device, software, fixedSubgroup } = gpu();
  const way = wayOf('attention');
  const usual = software && fixedSubgroup ? 'lanes' : 'tiles';
  if ((form ?? (way === 'lanes' || way === 'tiles' ? way : usual)) === 'tiles') {
    const pieces = Math.ceil(headDim / 32);
    const written = { OWN_ROWS: 4, OWN_COLS: 2, SUM_PIECES: pieces };
    return {
      rows: SIDE,
      constants: { ...written, PIECES: pieces, SUMS: 2 * pieces },
      text: (_, tiles) => shaderText(tiles, String(pieces), () => unroll(`${tileCode}\n${tiles}`, written)),
    };
  }
  if (!fixedSubgroup)
    throw new Error('This device does not say how wide its subgroups are: use the form `tiles`.');
  const { OWNED, PARTS } = sizesOf(fixedSubgroup);
  const keys = PARTS * fixedSubgroup;
  const counts = { LANES: fixedSubgroup, OWNED, PARTS, KEYS: keys, TILE: keys * OWNED };
  const rows = OWNED * fixedSubgroup;
  const held = heldVectors(arrays, rows, headDim, device.limits.maxComputeWorkgroupStorageSize);
  return {
    rows,
    constants: { ...counts, ROWS: rows, HOLD: held > 0, HELD: Math.max(1, held) },
    text: (lanes) =>
      shaderText(lanes, Object.values(counts).join(), () =>
        handRound(`enable subgroups;\n${heldCode}\n${unroll(lanes, counts)}`, fixedSubgroup),
      ),
  };
}

const shapeOf = (
  rows: number,
  keys: number,
  { heads, kvHeads, headDim, scale = 1 / Math.sqrt(headDim) }: AttentionAttrs,
) => [rows, keys, heads, kvHeads, headDim / 4, floatBits(scale)];

export function attentionKernel(inputs: NamedTensorInfoMap, attrs: AttentionAttrs): TensorInfo[] {
  const [q, k, v, ranges] = ['q', 'k', 'v', 'ranges'].map((name) => given(inputs[name])) as Four;
  const [rows, keys] = [size(q, 0), size(k, 0)];
  const o = output(q.shape);
  const lse = output([rows, attrs.heads]);
  const bind = [q, k, v, ranges, o, lse];
  const uniforms = shapeOf(rows, keys, attrs);
  if (attrs.together) {
    const form = formOf(attrs, 2); // q, o
    dispatch({
      name: 'attention',
      code: form.text(forwardLanesCode, forwardTilesCode),
      constants: form.constants,
      bind,
      uniforms,
      groups: foldGroups(Math.ceil(rows / form.rows) * attrs.heads),
    });
  } else {
    const { code, constants, together } = apartForm(attrs);
    dispatch({
      name: 'attentionApart',
      code,
      constants,
      bind,
      uniforms,
      groups: foldGroups((rows * attrs.heads) / together),
    });
  }
  return [o, lse];
}

/** Lanes that share the keys of a query on a graphics card: enough for heads of up to 512. */
const APART_LANES = 128;

interface Apart {
  code: string;
  constants: Constants;
  /** Heads of a workgroup. */
  together: number;
}

/** Of the query heads that share keys, those that a processor's subgroup takes at once: each key and value is then read once for all. */
const headsTogether = (sharing: number, lanes: number): number =>
  [8, 7, 6, 5, 4, 3, 2].find((count) => sharing % count === 0 && count <= lanes) ?? 1;

/** Lanes of a query and head: a subgroup on a processor driver, one lane where it has none, a workgroup elsewhere. */
function apartForm({ form, heads, kvHeads, headDim }: AttentionAttrs): Apart {
  const { software, fixedSubgroup } = gpu();
  const wished = form === undefined ? software : form === 'lanes';
  const subgroup = fixedSubgroup > 0 && wished && wayOf('attentionApart') !== 'single';
  const lanes = subgroup ? fixedSubgroup : software && form === undefined ? 1 : APART_LANES;
  const D4 = headDim / 4;
  const ACROSS = Math.min(D4, lanes);
  const SLICES = Math.floor(lanes / ACROSS);
  const together = subgroup ? headsTogether(heads / kvHeads, lanes) : 1;
  const written = { OWNED: Math.ceil(D4 / ACROSS), SLICES, TOGETHER: together };
  const [reduce, weights] = subgroup ? [subgroupCode, weightsSubgroupCode] : [reduceCode, weightsCode];
  const code = shaderText(apartCode, `${subgroup} ${Object.values(written).join()}`, () =>
    unroll(`${reduce}\n${weights}\n${apartCode}`, written),
  );
  return {
    code,
    constants: { ...written, D4, ACROSS, LANES: lanes, ROWS: 1, ROUNDS: Math.ceil(lanes / SLICES) },
    together,
  };
}

type Four = [TensorInfo, TensorInfo, TensorInfo, TensorInfo];

export function attentionGradKernel(inputs: NamedTensorInfoMap, attrs: AttentionAttrs): TensorInfo[] {
  const [q, k, v, ranges] = ['q', 'k', 'v', 'ranges'].map((name) => given(inputs[name])) as Four;
  const dy = given(inputs['dy']);
  const { heads, kvHeads } = attrs;
  const [rows, keys] = [size(q, 0), size(k, 0)];
  const uniforms = shapeOf(rows, keys, attrs);
  // the logarithms and dots lie in one buffer: every device binds eight, and dk and dv need two of them
  const stats = output([rows, heads, 2]);
  dispatch({
    name: 'attentionDot',
    code: dotCode,
    bind: [given(inputs['o']), dy, given(inputs['lse']), stats],
    uniforms,
    groups: foldGroups(Math.ceil((rows * heads) / 64)),
  });
  const form = formOf(attrs, 3); // q, dy, dq
  const read = [q, k, v, ranges, dy, stats];
  const dq = output(q.shape);
  dispatch({
    name: 'attentionDq',
    code: form.text(dqLanesCode, dqTilesCode),
    constants: form.constants,
    bind: [...read, dq],
    uniforms,
    groups: foldGroups(Math.ceil(rows / form.rows) * heads),
  });
  const keyForm = formOf(attrs, 4); // k, v, dk, dv
  const strips = Math.ceil(keys / keyForm.rows);
  const tiled = keyForm.rows === SIDE && 'SUMS' in keyForm.constants;
  const apart = tiled && heads > kvHeads && strips * kvHeads < ENOUGH_GROUPS;
  const shape = apart ? [keys, heads * attrs.headDim] : k.shape;
  const made = [output(shape), output(shape)];
  dispatch({
    name: 'attentionDkv',
    code: keyForm.text(dkvLanesCode, dkvTilesCode),
    constants: tiled ? { ...keyForm.constants, APART: apart } : keyForm.constants,
    bind: [...read, ...made],
    uniforms,
    groups: foldGroups(strips * (apart ? heads : kvHeads)),
  });
  release(stats);
  if (!apart) return [dq, ...made];
  const sums = [output(k.shape), output(k.shape)];
  dispatch({
    name: 'groupSum',
    code: groupSumCode,
    bind: [...made, ...sums],
    uniforms,
    groups: foldGroups(Math.ceil((keys * kvHeads * attrs.headDim) / 4 / 64)),
  });
  made.forEach(release);
  return [dq, ...sums];
}
