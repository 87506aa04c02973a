/** The designs that are tried for each kind of product (tune.ts), by what the device can do. What is built in (choose.ts) comes first. */
import { gpu } from '../../gpu/inside';
import type { WeightFormat } from '../../protocol/weightFormats';
import {
  blocksOfOne,
  columnsForFew,
  columnsForOne,
  FEW_ROWS,
  processorTile,
  registersForFew,
  type Design,
  type RowCount,
} from './choose';
import { inBlocks } from './registers/blocks';
import { rightForm } from './right';

/** A kind of product: in training both directions, in generation forward for one sequence or for several. */
export interface TunedKind {
  form: 'nt' | 'nn';
  rows: RowCount;
}
export const KINDS: readonly TunedKind[] = [
  { form: 'nt', rows: 'many' },
  { form: 'nn', rows: 'many' },
  { form: 'nt', rows: 'one' },
  { form: 'nt', rows: 'few' },
];

const registers = (rows: number, cols: number, broadcast: number): Design => ({
  design: 'registers',
  ...{ rows, cols, broadcast },
});
const tiled = (
  [bm, bn, tm, tn]: [bm: number, bn: number, tm: number, tn: number],
  stage: 'f32' | 'f16' = 'f32',
  more: { depth?: number; ahead?: boolean; enough?: number } = {},
): Design => ({ design: 'tiled', ...{ bm, bn, tm, tn, stage, ...more } });
const reduce = (rows: number, cols: number, lanes: number, subgroup = false): Design => ({
  design: 'reduce',
  ...{ rows, cols, lanes, subgroup },
});

export function candidates({ form, rows }: TunedKind, format: WeightFormat): Design[] {
  return rows === 'many' ? forTraining(form, format) : forGeneration(rows === 'one' ? 1 : FEW_ROWS, format);
}

/** f16 tiles are for weights that are rounded already: on f32 they would be the only rounding there is. */
function forTraining(form: 'nt' | 'nn', format: WeightFormat): Design[] {
  const { software, fixedSubgroup, device } = gpu();
  const nt = form === 'nt';
  if (software && fixedSubgroup > 0) {
    const built = processorTile(form, format, fixedSubgroup);
    const { rows } = built;
    return [
      built,
      { ...built, rows: rows / 2 },
      { ...built, ...(nt ? { rows: 16, cols: 2 } : { rows: 8, cols: 2 }) },
    ];
  }
  if (software) return [registers(8, nt ? 4 : 1, 0), registers(4, nt ? 4 : 2, 0)];
  const rounded = format !== 'f32' && device.features.has('shader-f16');
  const ahead = { ahead: true };
  return [
    tiled([64, 64, 8, 4], 'f32', ahead),
    // a card with few units is busy with few groups, and spares itself the adding up
    tiled([64, 64, 8, 4], 'f32', { ...ahead, enough: 0 }),
    tiled([64, 64, 8, 4]),
    tiled([64, 64, 4, 4]),
    tiled([64, 128, 8, 8]),
    tiled([128, 64, 8, 8], 'f32', ahead),
    tiled([32, 64, 4, 4], 'f32', ahead),
    ...(rounded
      ? [
          tiled([64, 64, 4, 4], 'f16', ahead),
          tiled([64, 64, 4, 8], 'f16', { depth: 8 }),
          tiled([128, 64, 8, 8], 'f16', ahead),
        ]
      : []),
    registers(8, nt ? 4 : 1, 0),
  ];
}

/** Every candidate reads the weight once for all rows. */
function forGeneration(rows: number, format: WeightFormat): Design[] {
  const { software, fixedSubgroup } = gpu();
  if (software && fixedSubgroup > 0) {
    const along = reduce(rows, rows === 1 ? 8 : 4, fixedSubgroup, true);
    const inColumns = (cols: number) => registersForFew(rows, cols, fixedSubgroup);
    if (rows > 1) {
      const built = columnsForFew(format, fixedSubgroup);
      return [inColumns(built), along, inColumns(built === 4 ? 2 : 4)];
    }
    if (!inBlocks(rightForm(format, true))) return [along, inColumns(4), inColumns(2)];
    const columns = columnsForOne(format, fixedSubgroup) === 4 ? [4, 2] : [2, 4];
    return [...columns.map((cols) => blocksOfOne(fixedSubgroup, cols)), along];
  }
  if (software) return [registers(rows, 4, 0), registers(rows, 2, 0)];
  // the sums of all lanes must fit into 16 KB of workgroup memory
  return rows === 1
    ? [reduce(1, 4, 128), reduce(1, 8, 64), reduce(1, 4, 64), reduce(1, 2, 64), reduce(1, 4, 32)]
    : [
        reduce(rows, 4, 64),
        reduce(rows, 2, 64),
        reduce(rows, 8, 32),
        reduce(rows, 4, 32),
        tiled([rows, 64, 2, 4]),
      ];
}
