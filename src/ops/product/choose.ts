/** Chooses the design of a product from its shape and the device's features; never from a vendor's name. */
import type { Gpu } from '../../gpu/device';
import type { WeightFormat } from '../../protocol/weightFormats';
import { rightOf, type ProductShape } from './operands';
import { reduceGroups, reduceSource, type Reduce } from './reduce';
import type { RightForm } from './right';
import { registersGroups, registersSource, type Registers } from './registers';
import { tiledGroups, tiledSource, type Tiled } from './tiled';

export type Design = Registers | Tiled | Reduce;

/** Rows up to which a product reads every weight once for all of them. */
const FEW_ROWS = 8;
/** Columns up to which a product is an adapter's down-projection. */
const FEW_COLUMNS = 64;

/** The winners of tune.ts by kind of product. Plain data, to be stored. */
export type TunedTable = Record<string, Design>;

let tuned: TunedTable = {};

/** Takes a table into use that was measured on this device; an empty one goes back to the built-in choice. */
export function useTuned(table: TunedTable): void {
  tuned = table;
}

/** Products that are tuned together: many rows, many columns. */
export function kindOf(form: ProductShape['form'], format: WeightFormat): string {
  return `${form} ${format}`;
}

let preferred: ((shape: ProductShape, rows: number, width: number) => Design | null) | null = null;

/** Puts another choice before the built-in one: tests and measurements use it. Null takes it away. */
export function preferDesign(choice: typeof preferred): void {
  preferred = choice;
}

/** `rows` × `width`: the result. */
export function chooseDesign(shape: ProductShape, rows: number, width: number, gpu: Gpu): Design {
  const wish = preferred?.(shape, rows, width);
  if (wish) return wish;
  if (shape.form === 'tn' || shape.vector === 1) return registers(shape, rows, width, gpu);
  const few = shape.form === 'nt' ? rows <= FEW_ROWS : false;
  const skinny = width <= FEW_COLUMNS && shape.format === 'f32';
  if (gpu.software) {
    if (few && gpu.fixedSubgroup > 0 && !skinny) return reduce(shape, rows, gpu.fixedSubgroup, true);
    return (
      (rows >= 16 && !skinny && tuned[kindOf(shape.form, shape.format)]) || registers(shape, rows, width, gpu)
    );
  }
  if (few || skinny) return reduce(shape, rows, 64, false);
  const winner = tuned[kindOf(shape.form, shape.format)];
  if (winner && rows > 32) return winner;
  return { design: 'tiled', bm: rows <= 32 ? 32 : 64, bn: 64, tm: 4, tn: 4, stage: 'f32' };
}

/**
 * Steps of the contraction after which what one group reads of w no longer lies in a processor's second cache (nn: as many rows of w,
 * each on a page of its own) for the group of the next rows.
 */
export const PROCESSOR_DEPTH = { nt: 1024, nn: 512 };

/** Whether 32 rows may share the loads of w: with eight weights in a word the code would leave the cache it runs from. */
export const suitsTall = ({ width }: RightForm) => width === 4;

function registers(shape: ProductShape, rows: number, width: number, gpu: Gpu): Registers {
  const broadcast = gpu.software ? gpu.fixedSubgroup : 0;
  const own = shape.form === 'nt' ? 1 : shape.form === 'nn' ? rightOf(shape).width : shape.vector;
  const most = shape.form === 'nt' ? 4 : 1;
  const cols = Math.max(1, Math.min(most, Math.ceil(width / ((broadcast || 64) * own))));
  const tile = rows >= 16 && broadcast ? 16 : rows >= 8 ? 8 : rows >= 4 ? 4 : 1;
  if (!broadcast || rows < 32 || shape.form === 'tn' || !suitsTall(rightOf(shape)))
    return { design: 'registers', rows: tile, cols, broadcast };
  return { design: 'registers', rows: 32, cols, broadcast, depth: PROCESSOR_DEPTH[shape.form] };
}

function reduce(shape: ProductShape, rows: number, lanes: number, subgroup: boolean): Reduce {
  const tall = rows > 4 && shape.form === 'nt' && rows <= FEW_ROWS;
  return {
    design: 'reduce',
    rows: tall ? 8 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1,
    cols: tall ? 4 : 8,
    lanes,
    subgroup,
  };
}

export function sourceOf(shape: ProductShape, design: Design): string {
  switch (design.design) {
    case 'registers':
      return registersSource({ ...shape, ...design });
    case 'tiled':
      return tiledSource({ ...shape, ...design });
    case 'reduce':
      return reduceSource({ ...shape, ...design });
  }
}

/** Workgroups over rows and columns of the result. */
export function groupsOf(shape: ProductShape, design: Design, rows: number, width: number): [number, number] {
  switch (design.design) {
    case 'registers':
      return registersGroups({ ...shape, ...design }, rows, width);
    case 'tiled':
      return tiledGroups(design, rows, width);
    case 'reduce':
      return reduceGroups(design, rows, width);
  }
}
