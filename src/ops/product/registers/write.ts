/** How nn and tn of a product in registers write their sums. */
import { extras, range } from '../operands';
import { lanesOf, type Tile } from './tile';

/** Each lane writes the `vectors` vectors of its words; `words` is the name of a row's length in words. */
export function writeVectors(tile: Tile, limit: string, words: string, vectors: number): string[] {
  const lanes = lanesOf(tile);
  const unit = tile.narrow ? 1 : tile.vector;
  return range(tile.rows).flatMap((i) => [
    `if (row0 + ${i}u < ${limit}) {`,
    ...range(tile.cols).flatMap((j) => {
      const word = `col0 + ${j * lanes}u`;
      const lines = range(vectors).map((v) => {
        const row = `(row0 + ${i}u) * (shape.resultRow / ${unit}u)`;
        const begin = tile.form === 'tn' ? 'part' : `shape.result0 / ${unit}u`;
        const at = `${begin} + ${row} + (${word}) * ${vectors}u + ${v}u`;
        const sum = [vectors === 1 ? `c_${i}_${j}` : `c_${i}_${j}_${v}`, ...extras(tile, at, '')];
        return `result[${at}] = ${sum.join(' + ')};`;
      });
      return [`  if (${word} < ${words}) {`, ...lines, '  }'];
    }),
    '}',
  ]);
}
