/** Chooses the design of a product from its shape and the device's features; never from a vendor's name. */
import type { Gpu } from '../../gpu/device';
import { MANY_LANES } from '../../gpu/lanes';
import type { WeightFormat } from '../../protocol/weightFormats';
import { wayOf } from '../ways';
import { rightOf, type ProductForm, type ProductShape } from './operands';
import { reduceGroups, reduceSource, type Reduce } from './reduce';
import { inBlocks } from './registers/blocks';
import { registersGroups, registersSource } from './registers/registers';
import type { Registers } from './registers/tile';
import { rightForm } from './right';
import { slicedGroups, slicedSource, type Sliced } from './sliced';
import { tiledGroups, tiledSource, type Tiled } from './tiled';

export type Design = Registers | Tiled | Reduce | Sliced;

/** Rows up to which a product reads every weight once for all of them. */
export const FEW_ROWS = 8;
/** Columns up to which a product is an adapter's down-projection. */
const FEW_COLUMNS = 64;

/** The winners of tune.ts by kind of product. Plain data, to be stored. */
export type TunedTable = Record<string, Design>;

let tuned: TunedTable = {};

/** Takes a table into use that was measured on this device; an empty one goes back to the built-in choice. */
export function useTuned(table: TunedTable): void {
  tuned = table;
}

/** Rows of a product as far as its design goes: a step of training, a step of generation for one sequence or for several. */
export type RowCount = 'many' | 'few' | 'one';

/** Products that are tuned together; all of many columns. */
export function kindOf(form: ProductShape['form'], format: WeightFormat, rows: RowCount = 'many'): string {
  return rows === 'many' ? `${form} ${format}` : `${form} ${format}, ${rows}`;
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
  const broadcast = gpu.software ? gpu.fixedSubgroup : 0;
  const plain = shape.form === 'tn' || shape.vector === 1;
  const way = wayOf(`linear ${shape.format}`);
  if (way !== 'usual') return way === 'tiles' && !plain ? tiles(rows) : registers(shape, rows, width, 0);
  if (shape.form === 'tn' && !gpu.software && rows <= FEW_COLUMNS) return sliced(rows);
  if (plain) return registers(shape, rows, width, broadcast);
  const skinny = width <= FEW_COLUMNS && shape.format === 'f32';
  if (shape.form === 'nt' && rows <= FEW_ROWS && !skinny) return forFewRows(shape, rows, width, gpu);
  if (gpu.software)
    return (
      (rows >= 16 && !skinny && tuned[kindOf(shape.form, shape.format)]) ||
      registers(shape, rows, width, broadcast)
    );
  if (skinny) return reduce(shape, rows, 64, false);
  const winner = tuned[kindOf(shape.form, shape.format)];
  // a tile that is taller than the left operand leaves a part of the card idle
  if (winner && rows > 32 && !(winner.design === 'tiled' && winner.bm > rows)) return winner;
  return tiles(rows);
}

function tiles(rows: number): Tiled {
  const few = rows <= 32;
  return { design: 'tiled', bm: few ? 32 : 64, bn: 64, tm: few ? 4 : 8, tn: 4, stage: 'f32', ahead: true };
}

/** One row on a graphics card: few columns and many lanes, since each waits for memory several times in a row. */
const alone: Reduce = { design: 'reduce', rows: 1, cols: 4, lanes: 128, subgroup: false };

/** nt of at most FEW_ROWS rows: all of them in one group, so that the weight is read once. */
function forFewRows(shape: ProductShape, rows: number, width: number, gpu: Gpu): Design {
  const winner = tuned[kindOf('nt', shape.format, rows === 1 ? 'one' : 'few')];
  if (winner?.design === 'tiled') return winner;
  if (winner) return { ...winner, rows: Math.min(winner.rows, rowsTogether(rows)) };
  if (!gpu.software) return rows === 1 ? alone : reduce(shape, rows, 64, false);
  const { fixedSubgroup } = gpu;
  // the sums of several rows and columns are too many for one lane to go on with beside what it reads
  if (rows > 1 || fixedSubgroup === 0) return registers(shape, rows, width, fixedSubgroup);
  if (!inBlocks(rightOf(shape))) return reduce(shape, rows, fixedSubgroup, true);
  return blocksOfOne(fixedSubgroup, columnsForOne(shape.format, fixedSubgroup));
}

/** Rows of a group: powers of two, so that few kernels are compiled. */
const rowsTogether = (rows: number) => 2 ** Math.ceil(Math.log2(rows));

/**
 * Steps of the contraction after which what one group reads of w (in nn as many rows of w, each on a page of its own) no longer lies in
 * a processor's second cache for the group of the next rows.
 */
export const PROCESSOR_DEPTH = 1024;

/**
 * The largest tile on a processor, by measurement: what is read of w serves all its rows and what is read of x all its columns, as long
 * as the code stays in the cache that it runs from.
 */
export function processorTile(form: ProductForm, format: WeightFormat, lanes: number): Registers {
  const { width } = rightForm(format, true);
  const nt = form === 'nt';
  // SwiftShader keeps what a loop changes in memory: there it costs more than the code it saves
  const loops = lanes >= MANY_LANES;
  const tall = !loops || (nt ? format !== 'q4' : format === 'f16' || format === 'q8');
  return {
    design: 'registers',
    rows: tall ? 32 : 16,
    cols: nt ? (tall ? 4 : 6) : 1,
    broadcast: lanes,
    ...(nt && width > 4 && loops ? { rolled: true } : {}),
    ...(width === 4 ? { depth: PROCESSOR_DEPTH } : {}),
  };
}

/** What the designs for few rows do on drivers of many lanes alone; SwiftShader computes for so long that nothing waits for memory. */
const touching = (lanes: number) => (lanes >= MANY_LANES ? { touch: true } : {});

/** Whole blocks of a packed weight for one row. */
export const blocksOfOne = (lanes: number, cols: number): Registers => ({
  design: 'registers',
  ...{ rows: 1, cols, broadcast: lanes, blocks: true },
  ...(lanes >= MANY_LANES ? { rolled: true } : {}),
  ...touching(lanes),
});

/** Columns of a lane that goes through whole blocks for one row. More of them share what is read of the row. */
export const columnsForOne = (format: WeightFormat, lanes: number): number =>
  format === 'q4' || (format === 'q8' && lanes < MANY_LANES) ? 4 : 2;

/**
 * Columns of a lane for several rows of generation: what is read of the rows serves all of them, as long as the sums do not outgrow
 * the processor's registers and the code its cache.
 */
export function columnsForFew(format: WeightFormat, broadcast: number): number {
  if (broadcast < MANY_LANES || format === 'f32') return 4;
  return format === 'f16' || format === 'q8' ? 8 : 6;
}

/** A row or a few against `cols` columns of a lane. */
export const registersForFew = (rows: number, cols: number, broadcast: number): Registers => ({
  design: 'registers',
  ...{ rows, cols, broadcast },
  ...touching(broadcast),
});

/** `broadcast`: lanes of a subgroup that pass the left operand round; 0 for none. */
function registers(shape: ProductShape, rows: number, width: number, broadcast: number): Registers {
  const { form, format, vector } = shape;
  const own = form === 'nt' ? 1 : form === 'nn' ? rightOf(shape).width : vector;
  const fitting = (most: number) => Math.max(1, Math.min(most, Math.ceil(width / ((broadcast || 64) * own))));
  if (form === 'nt' && rows <= FEW_ROWS) {
    const cols = fitting(columnsForFew(format, broadcast));
    return registersForFew(rowsTogether(rows), cols, broadcast);
  }
  // an adapter's way down in the backward pass: vectors of so few columns would leave lanes idle
  if (
    broadcast &&
    form === 'nn' &&
    format === 'f32' &&
    vector === 4 &&
    !shape.lora &&
    width < 4 * broadcast
  ) {
    const cols = Math.ceil(width / broadcast);
    return { design: 'registers', rows: rows >= 32 && cols <= 2 ? 32 : 16, cols, broadcast, narrow: true };
  }
  if (broadcast && rows >= 32 && form !== 'tn' && vector === 4) {
    const largest = processorTile(form, format, broadcast);
    return { ...largest, cols: fitting(largest.cols) };
  }
  const tile = rows >= 16 && broadcast ? 16 : rows >= 8 ? 8 : rows >= 4 ? 4 : 1;
  if (form === 'tn' && broadcast)
    return { design: 'registers', rows: tile, cols: fitting(2), broadcast, steps: 2 };
  return { design: 'registers', rows: tile, cols: fitting(form === 'nt' ? 4 : 1), broadcast };
}

function reduce(shape: ProductShape, rows: number, lanes: number, subgroup: boolean): Reduce {
  const most = shape.form === 'nt' && rows <= FEW_ROWS ? FEW_ROWS : 4;
  const together = Math.min(most, rowsTogether(rows));
  return { design: 'reduce', rows: together, cols: together > 4 ? 4 : 8, lanes, subgroup };
}

function sliced(rows: number): Sliced {
  return { design: 'sliced', rows: rows <= 4 ? 4 : 8, cols: 8, slices: 32 };
}

export function sourceOf(shape: ProductShape, design: Design): string {
  switch (design.design) {
    case 'registers':
      return registersSource({ ...shape, ...design });
    case 'tiled':
      return tiledSource({ ...shape, ...design });
    case 'reduce':
      return reduceSource({ ...shape, ...design });
    case 'sliced':
      return slicedSource({ ...shape, ...design });
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
    case 'sliced':
      return slicedGroups({ ...shape, ...design }, rows, width);
  }
}
