/**
 * A product in registers: every invocation keeps ROWS × COLS results; the loops over them are written out here because drivers
 * unroll badly. With `broadcast` a workgroup is one subgroup and the left operand is loaded once and passed round by shuffle:
 * 3 to 5 times faster on processor drivers (no shared memory, no barriers). Without it any device runs it.
 */
import { handRound } from '../../../gpu/lanes';
import { operands, ownShape, sideBySide } from '../operands';
import { nn } from './nn';
import { nt } from './nt';
import { columnsPerGroup, lanesOf, type Tile } from './tile';
import { tn } from './tn';
import { readsTogether } from './words';

/** Rows fastest: what was read of w stays in the cache for the next rows. */
export function registersGroups(tile: Tile, rows: number, width: number): [number, number] {
  return [Math.ceil(rows / tile.rows), Math.ceil(sideBySide(tile, width) / columnsPerGroup(tile))];
}

export function registersSource(tile: Tile): string {
  const { form, broadcast } = tile;
  const lanes = lanesOf(tile);
  const text = [
    broadcast ? 'enable subgroups;' : '',
    ...operands(tile, tile.blocks || readsTogether(tile) ? 'vec4u' : undefined),
    `@compute @workgroup_size(${lanes})`,
    `fn main(@builtin(workgroup_id) wg: vec3u, @builtin(${broadcast ? 'subgroup_invocation_id' : 'local_invocation_index'}) lane: u32) {`,
    ...ownShape(tile),
    `  let row0 = wg.x * ${tile.rows}u;`,
    `  let col0 = wg.y * ${lanes * sideBySide(tile, tile.cols)}u + lane;`,
    ...(tile.batches > 1 ? leaveEarly(tile) : []),
    form === 'nt' ? nt(tile) : form === 'nn' ? nn(tile) : tn(tile),
    '}',
  ].join('\n');
  return handRound(text, broadcast);
}

/** The groups are as many as the largest product of the dispatch needs; a smaller one has nothing to do in the last of them. */
function leaveEarly(tile: Tile): string[] {
  const rows = tile.form === 'tn' ? 'shape.n' : 'shape.m';
  return [`if (row0 >= ${rows} || wg.y * ${columnsPerGroup(tile)}u >= shape.k) { return; }`];
}
