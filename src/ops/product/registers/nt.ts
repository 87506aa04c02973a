/** nt of a product in registers: each lane goes down rows of w of its own, one word of every row a step. → the body of main */
import { dotInto, extras, lowRankColumns, range, resultColumns, rightOf, sideBySide } from '../operands';
import { blockLoop } from './blocks';
import { addRows, leftLoads, leftRows, readLeft } from './left';
import { cells, lanesOf, type Tile } from './tile';
import { touchColumns } from './touch';

export function nt(tile: Tile): string {
  const { cols, vector, lora } = tile;
  const lanes = lanesOf(tile);
  const right = rightOf(tile);
  const vectors = right.width === 1 ? 1 : right.width / 4;
  const rolled = tile.rolled === true && vectors > 1;
  const all = cells(tile);
  const run = sideBySide(tile, cols);
  /** Vector `v` of the words, whose weights are b(column), against the matching vectors of every row. */
  const against = (v: string, b: (j: number) => string) => [
    ...readLeft(tile, (load) => `left[start_${load} + s * ${vectors}u + ${v}]`),
    ...range(cols).map((j) => `let b_${j} = ${b(j)};`),
    ...addRows(tile, all, ({ i, j, name }) => dotInto(name, `a_${i}`, `b_${j}`, vector)),
  ];
  const vectorOf = (j: number, v: number) => right.vectors(`word_${j}`, `scale_${j}`)[v] ?? '';
  /** One word of every column; `s` is its number in its row. */
  const step = [
    ...range(cols).map((j) => `${rolled ? 'var' : 'let'} word_${j} = right[col_${j} * words + s];`),
    ...(rolled
      ? [
          `for (var v = 0u; v < ${vectors}u; v++) {`,
          ...against('v', (j) => vectorOf(j, 0)),
          ...range(cols).map((j) => `word_${j} >>= 16u;`),
          '}',
        ]
      : range(vectors).flatMap((v) => ['{', ...against(`${v}u`, (j) => vectorOf(j, v)), '}'])),
  ];
  const { wordsPerBlock } = right;
  const loop =
    wordsPerBlock === 0
      ? [`for (var s = shape.left0 / ${right.width}u; s < stop; s++) {`, ...step, '}']
      : [
          `let blocks = words / ${wordsPerBlock}u;`,
          `for (var block = shape.left0 / ${wordsPerBlock * right.width}u; block < stop / ${wordsPerBlock}u; block++) {`,
          ...range(cols).map((j) => `let scale_${j} = ${right.scale(`col_${j} * blocks + block`)};`),
          `for (var w = 0u; w < ${wordsPerBlock}u; w++) {`,
          `let s = block * ${wordsPerBlock}u + w;`,
          ...step,
          '}',
          '}',
        ];
  const body = [
    `let ends = ${resultColumns(tile)};`,
    ...range(cols).map(
      (j) => `let col_${j} = min(col0 + ${(j % run) * lanes}u, ends - 1u)${j < run ? '' : ' + ends'};`,
    ),
    ...(tile.touch ? touchColumns(tile) : []),
    // one of the sums is enough; a driver that has to begin all of them with it arranges them worse
    ...all.map(({ name }) => `var ${name} = ${tile.touch && name === 'c_0_0' ? 'untouched' : '0.0'};`),
    `let width = shape.k / ${vector}u;`,
    ...leftRows(tile, 'shape.m'),
    ...leftLoads(tile).map((load) => `let start_${load} = row_${load} * width;`),
    `let words = shape.k / ${right.width}u;`,
    `let stop = (shape.left0 + shape.chunk) / ${right.width}u;`,
    ...(tile.blocks ? blockLoop(tile) : loop),
    ...all.map(({ name }) => `${name} *= shape.scale;`),
  ];
  if (lora) {
    const columns = range(cols).map((j) => `col_${j}`);
    const across = lanes * run;
    const last = `wg.y * ${across}u + ${across - 1}u${tile.gate ? ' + ends' : ''}`;
    const steps = lowRankColumns(tile, columns, `wg.y * ${across}u`, last);
    body.push(
      ...steps.head,
      'for (var s = begin; s < end; s++) {',
      ...readLeft(tile, (load) => `low[row_${load} * shape.rank + s]`),
      ...range(cols).map((j) => `let b_${j} = ${steps.value(j)};`),
      ...addRows(tile, all, ({ i, j, name }) => `${name} = fma(a_${i}, b_${j}, ${name});`),
      '}',
    );
  }
  for (const i of range(tile.rows)) {
    body.push(`if (row0 + ${i}u < shape.m) {`);
    for (const j of range(run)) {
      const at = `(row0 + ${i}u) * shape.resultRow + shape.result0 + col0 + ${j * lanes}u`;
      const sum = (of: number) => [`c_${i}_${of}`, ...extras(tile, at, `col_${of}`)].join(' + ');
      const value = tile.gate ? `gated(${sum(j)}, ${sum(j + run)})` : sum(j);
      body.push(`  if (col0 + ${j * lanes}u < ends) { result[${at}] = ${value}; }`);
    }
    body.push('}');
  }
  return body.join('\n');
}
