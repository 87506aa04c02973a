/**
 * How an nn product in registers (registers.ts) reads w: the rows of it that one vector of dy meets, `word_column_row` and
 * `scale_column_row` for every column of a lane and each of these rows. With the lanes of a subgroup each word and each scale of a packed
 * weight is read once, four words in a load, and handed to the lane that wants it: a processor driver goes through the lanes one by one
 * at every load, and a scale is the same for several of them.
 */
import { range, rightOf, type ProductShape } from '../operands';

interface WordTile extends ProductShape {
  cols: number;
  /** Lanes of the subgroup, 0 for none. */
  broadcast: number;
  narrow?: boolean;
}

/** Rows of w at a time. */
const rowsAtOnce = (tile: WordTile) => tile.vector;

/** Whether a subgroup reads together: four rows of packed words, as many words in a load as rows. */
export const readsTogether = (tile: WordTile): boolean =>
  tile.form === 'nn' &&
  tile.vector === 4 &&
  tile.broadcast % 4 === 0 &&
  tile.broadcast > 0 &&
  rightOf(tile).packed !== null;

/** The first word of row `row` of a step. */
const rowStart = (tile: WordTile, row: string) =>
  `shape.right0 / ${rightOf(tile).width}u + (s * ${rowsAtOnce(tile)}u + ${row}) * words`;

/** Every lane its own words and their scales; `word_column` is where the lane's words lie in a row. */
export function wordsApart(tile: WordTile): string[] {
  const right = rightOf(tile);
  return range(rowsAtOnce(tile)).flatMap((row) => [
    `let n_${row} = ${rowStart(tile, `${row}u`)};`,
    ...range(tile.cols).flatMap((j) => [
      `let word_${j}_${row} = right[n_${row} + word_${j}];`,
      right.wordsPerBlock > 0
        ? `let scale_${j}_${row} = ${right.scale(`(n_${row} + word_${j}) / ${right.wordsPerBlock}u`)};`
        : '',
    ]),
  ]);
}

/**
 * A row of w has lanes / 4 loads of four words; what is read past its end is its last four words, for lanes that write nothing. A lane's
 * word comes out of the load of lane row · lanes / 4 + lane / 4. Packed rows are whole blocks, so blocks begin where groups do.
 */
export function wordsTogether(tile: WordTile): string[] {
  const { cols, broadcast: lanes } = tile;
  const right = rightOf(tile);
  const loads = lanes / 4;
  const perBlock = right.wordsPerBlock;
  const blocks = Math.max(1, lanes / perBlock);
  return range(cols).flatMap((j) => {
    const first = `wg.y * ${lanes * cols}u + ${j * lanes}u`;
    const own = `min(${first} + lane % ${loads}u * 4u, words - 4u)`;
    const scaled = `min(${first} + lane % ${blocks}u * ${perBlock}u, words - 1u)`;
    const sharedScale = (row: number) =>
      blocks === 1
        ? `subgroupBroadcast(scales_${j}, ${row}u)`
        : `subgroupShuffle(scales_${j}, ${row * blocks}u + lane / ${perBlock}u)`;
    return [
      `let four_${j} = right[(${rowStart(tile, `lane / ${loads}u`)} + ${own}) / 4u];`,
      `let block_${j} = (${rowStart(tile, `min(lane / ${blocks}u, 3u)`)} + ${scaled}) / ${perBlock}u;`,
      `let scales_${j} = ${right.scale(`block_${j}`)};`,
      ...range(4).flatMap((row) => [
        `let word_${j}_${row} = subgroupShuffle(four_${j}, ${row * loads}u + lane / 4u)[lane % 4u];`,
        `let scale_${j}_${row} = ${sharedScale(row)};`,
      ]),
    ];
  });
}
