/** nn of a product in registers: lanes lie along the words of a row of w, several rows a step. → the body of main */
import { range, rightOf } from '../operands';
import { addRows, leftLoads, leftRows, readLeft } from './left';
import { cells, lanesOf, type Tile } from './tile';
import { readsTogether, wordsApart, wordsTogether } from './words';
import { writeVectors } from './write';

export function nn(tile: Tile): string {
  const { cols, vector, lora } = tile;
  const lanes = lanesOf(tile);
  const right = rightOf(tile);
  const vectors = right.width === 1 ? 1 : right.width / 4;
  const parts = vector === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  const all = cells(tile, vectors);
  const single = right.width === 1;
  const splat = (a: string) => (single ? a : `vec4f(${a})`);
  const body = [
    `let width = shape.k / ${vector}u;`,
    `let words = shape.k / ${right.width}u;`,
    ...range(cols).map((j) => `let word_${j} = min(col0 + ${j * lanes}u, words - 1u);`),
    ...all.map(({ name }) => `var ${name} = ${single ? '0.0' : 'vec4f()'};`),
    // n and the places of dy's rows are multiples of `vector` here, so dy is read in vectors too
    `let steps = shape.n / ${vector}u;`,
    ...leftRows(tile, 'shape.m'),
    ...leftLoads(tile).map(
      (load) => `let start_${load} = (row_${load} * shape.leftRow + shape.left0) / ${vector}u;`,
    ),
    'for (var s = 0u; s < steps; s++) {',
    ...readLeft(tile, (load) => `left[start_${load} + s]`),
  ];
  // all the rows of w that a vector of dy meets are read first, so that a sum is fetched and put away once for four steps
  body.push(
    ...(readsTogether(tile) ? wordsTogether(tile) : wordsApart(tile)),
    ...parts.flatMap((_, p) =>
      range(cols).flatMap((j) =>
        right
          .vectors(`word_${j}_${p}`, `scale_${j}_${p}`)
          .map((text, v) => `let b_${j}_${v}_${p} = ${text};`),
      ),
    ),
    ...addRows(tile, all, ({ i, j, v, name }) => {
      const sum = parts.reduceRight(
        (inner, part, p) => `fma(${splat(`a_${i}${part}`)}, b_${j}_${v}_${p}, ${inner})`,
        name,
      );
      return `${name} = ${sum};`;
    }),
  );
  body.push('}', ...all.map(({ name }) => `${name} *= shape.scale;`));
  if (lora)
    body.push(
      'for (var s = 0u; s < shape.rank; s++) {',
      ...readLeft(tile, (load) => `low[row_${load} * shape.rank + s]`),
      ...range(cols).flatMap((j) =>
        range(vectors).map(
          (v) => `let b_${j}_${v} = shape.loraScale * up[s * width + word_${j} * ${vectors}u + ${v}u];`,
        ),
      ),
      ...addRows(
        tile,
        all,
        ({ i, j, v, name }) => `${name} = fma(${splat(`a_${i}`)}, b_${j}_${v}, ${name});`,
      ),
      '}',
    );
  body.push(...writeVectors(tile, 'shape.m', 'words', vectors));
  return body.join('\n');
}
