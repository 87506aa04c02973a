/**
 * The loop of an nt product in registers (registers.ts) that takes a whole block of packed weights a step, for few rows. A processor
 * driver goes through the lanes one by one at every load, so loads are few and wide: a block is read in vectors of four words, and the
 * left operand once by all lanes together, each a vector of its own that is passed round. The block's scale meets its sum, not its weights.
 */
import { dotInto, range, rightOf, type ProductShape } from '../operands';
import type { Packed, RightForm } from '../right';

interface BlockTile extends ProductShape {
  rows: number;
  cols: number;
  /** Lanes of the subgroup. */
  broadcast: number;
  /** The loads of a block are a loop and not written out. */
  rolled?: boolean;
}

/** Whether a weight lies in blocks of words, which this loop is for. */
export const inBlocks = (right: RightForm): right is RightForm & { packed: Packed } => right.packed !== null;

/** Adds to `c_row_column` of nt.ts; `col_column` is the column that a lane reads, `stop` the word at which the loop ends. */
export function blockLoop(tile: BlockTile): string[] {
  const { rows, cols, broadcast: lanes } = tile;
  const right = rightOf(tile);
  if (!inBlocks(right)) throw new Error(`A weight in ${tile.format} does not lie in blocks.`);
  const { packed, wordsPerBlock, width } = right;
  const { offset, factor } = packed;
  const loads = wordsPerBlock / 4;
  const rolled = tile.rolled === true && loads > 1;
  // vectors of a row that a block and a step meet; what the lanes can hold of a block at once is read once for all its steps
  const ofBlock = loads * width;
  const ofStep = rolled ? width : ofBlock;
  const atOnce = rolled && rows * ofBlock <= lanes;
  const cells = range(rows).flatMap((i) => range(cols).map((j) => ({ i, j })));
  const start = rolled && !atOnce ? `(block * ${loads}u + load) * ${width}u` : `block * ${ofBlock}u`;
  const held = rows * (atOnce ? ofBlock : ofStep);
  // vector v of row i is number v · rows + i; lanes hold one number each, in as many loads as that takes
  const own = range(Math.ceil(held / lanes)).flatMap((l) => [
    `let number_${l} = ${held < lanes ? `lane % ${held}u` : `lane + ${l * lanes}u`};`,
    `let own_${l} = left[min(row0 + number_${l} % ${rows}u, shape.m - 1u) * width + ${start} + number_${l} / ${rows}u];`,
    offset ? `let total_${l} = ${offset.total(`own_${l}`)};` : '',
    `let placed_${l} = ${packed.place ? `own_${l} * ${packed.place}` : `own_${l}`};`,
  ]);
  const shared = (name: string, i: number, v: number) => {
    const number = v * rows + i;
    return atOnce
      ? `subgroupShuffle(${name}_0, load * ${rows * ofStep}u + ${number}u)`
      : `subgroupBroadcast(${name}_${Math.floor(number / lanes)}, ${number % lanes}u)`;
  };
  const totals = range(offset ? rows : 0).map((i) => {
    const parts = range(ofStep).map((v) => shared('total', i, v));
    return `total_of_${i} += ${parts.join(' + ')};`;
  });
  const scaleOf = (j: number) => `let scale_${j} = ${right.scale(`col_${j} * blocks + block`)};`;
  const wordsOf = (j: number) =>
    range(rolled ? 1 : loads).map(
      (l) =>
        `let block_${j}_${l} = right[(col_${j} * blocks + block) * ${loads}u + ${rolled ? 'load' : `${l}u`}];`,
    );
  const steps = range(ofStep).flatMap((v) => {
    const word = Math.floor((4 * v) / width);
    const half = width === 8 ? v % 2 : 0;
    return [
      '{',
      ...range(rows).map((i) => `let a_${i} = ${shared('placed', i, v)};`),
      ...range(cols).map(
        (j) => `let b_${j} = ${packed.codes(`block_${j}_${Math.floor(word / 4)}[${word % 4}]`)[half] ?? ''};`,
      ),
      ...cells.map(({ i, j }) => dotInto(`sum_${i}_${j}`, `a_${i}`, `b_${j}`, 4)),
      '}',
    ];
  });
  const looped = [
    ...range(cols).map(scaleOf),
    ...(atOnce ? own : []),
    `for (var load = 0u; load < ${loads}u; load++) {`,
    ...(atOnce ? [] : own),
    ...totals,
    ...range(cols).flatMap(wordsOf),
    ...steps,
    '}',
  ];
  const straight = [...own, ...totals, ...range(cols).flatMap((j) => [scaleOf(j), ...wordsOf(j)]), ...steps];
  return [
    `let blocks = words / ${wordsPerBlock}u;`,
    `for (var block = shape.left0 / ${wordsPerBlock * width}u; block < stop / ${wordsPerBlock}u; block++) {`,
    ...cells.map(({ i, j }) => `var sum_${i}_${j} = 0.0;`),
    ...range(offset ? rows : 0).map((i) => `var total_of_${i} = 0.0;`),
    ...(rolled ? looped : straight),
    ...cells.map(({ i, j }) => {
      const [scale, sum] = [`scale_${j}`, `c_${i}_${j}`];
      const before = offset ? `fma(${offset.scale(scale)}, total_of_${i}, ${sum})` : sum;
      return `${sum} = fma(${factor(scale)}, sum_${i}_${j}, ${before});`;
    }),
    '}',
  ];
}
