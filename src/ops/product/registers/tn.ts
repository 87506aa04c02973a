/** tn of a product in registers: lanes lie along a row of q, a row or two of p and q a step. → the body of main */
import { extras, range } from '../operands';
import { addRows, leftRows, readLeft } from './left';
import { cells, lanesOf, type Tile } from './tile';
import { writeVectors } from './write';

export function tn(tile: Tile): string {
  const { cols, vector } = tile;
  const lanes = lanesOf(tile);
  const all = cells(tile);
  const steps = tile.steps ?? 1;
  const left = (i: number, p: number) => {
    const one = steps === 1 ? `a_${i}` : `a_${i}[${p}]`;
    return vector === 4 ? `vec4f(${one})` : one;
  };
  return [
    `let width = shape.k / ${vector}u;`,
    ...range(cols).map((j) => `let col_${j} = min(col0 + ${j * lanes}u, width - 1u);`),
    ...all.map(({ name }) => `var ${name} = ${vector === 4 ? 'vec4f()' : '0.0'};`),
    ...leftRows(tile, 'shape.n'),
    `for (var s = 0u; s < shape.m; s += ${steps}u) {`,
    ...range(steps).flatMap((p) => [
      `let s_${p} = min(s + ${p}u, shape.m - 1u);`,
      `let start_${p} = (s_${p} * shape.rightRow + shape.right0) / ${vector}u;`,
      ...range(cols).map((j) => `let b_${j}_${p} = right[start_${p} + col_${j}];`),
    ]),
    ...readLeft(tile, (load) => {
      const at = (p: number) => `left[s_${p} * shape.leftRow + shape.left0 + row_${load}]`;
      const past = (p: number) => (p === 0 ? at(0) : `select(0.0, ${at(p)}, s + ${p}u < shape.m)`);
      return steps === 1 ? at(0) : `vec${steps}f(${range(steps).map(past).join(', ')})`;
    }),
    ...addRows(tile, all, ({ i, j, name }) => {
      const inner = range(steps).reduce((text, p) => `fma(${left(i, p)}, b_${j}_${p}, ${text})`, name);
      return `${name} = ${inner};`;
    }),
    '}',
    ...all.map(({ name }) => `${name} *= shape.scale;`),
    `let part = shape.result0${tile.flip ? '' : ` / ${vector}u`};`,
    ...(tile.flip ? writeFlipped(tile) : writeVectors(tile, 'shape.n', 'width', 1)),
  ].join('\n');
}

/** The result turned: element [column, row]. */
function writeFlipped(tile: Tile): string[] {
  const lanes = lanesOf(tile);
  const parts = tile.vector === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  return range(tile.rows).flatMap((i) => [
    `if (row0 + ${i}u < shape.n) {`,
    ...range(tile.cols).flatMap((j) => [
      `  if (col0 + ${j * lanes}u < width) {`,
      ...parts.map((part, index) => {
        const at = `part + ((col0 + ${j * lanes}u) * ${tile.vector}u + ${index}u) * shape.resultRow + row0 + ${i}u`;
        return `result[${at}] = ${[`c_${i}_${j}${part}`, ...extras(tile, at, '')].join(' + ')};`;
      }),
      '  }',
    ]),
    '}',
  ]);
}
