/**
 * A product in registers: every invocation keeps ROWS × COLS results; the loops over them are written out here because drivers
 * unroll badly. With `broadcast` a workgroup is one subgroup and the left operand is loaded once and passed round by shuffle:
 * 3 to 5 times faster on processor drivers (no shared memory, no barriers). Without it any device runs it.
 */
import { blockLoop } from './blocks';
import { addRows, leftLoads, leftRows, readLeft, type Cell } from './left';
import { touchColumns } from './touch';
import { readsTogether, wordsApart, wordsTogether } from './words';
import {
  dotInto,
  extras,
  lowRankColumns,
  operands,
  ownShape,
  range,
  resultColumns,
  rightOf,
  sideBySide,
  type ProductShape,
} from './operands';

export interface Registers {
  design: 'registers';
  rows: number;
  cols: number;
  /** Subgroup size to broadcast within, 0 for none. */
  broadcast: number;
  /**
   * Steps of the contraction that one dispatch of nt or nn goes through, a multiple of 4; all of them where absent. The next one
   * adds to what is there. What a group reads of w is then small enough to lie in a processor's cache when the next rows want it.
   */
  depth?: number;
  /**
   * nt: the vectors of a word, or the loads of a block, are a loop and not written out. Half as much code leaves room for more rows or
   * columns in a processor's cache of instructions.
   */
  rolled?: boolean;
  /**
   * nn without a low-rank part: a lane's columns are single numbers and no vectors, where vectors would leave lanes without columns. dy is
   * read in vectors all the same.
   */
  narrow?: boolean;
  /** tn: rows of p and q at a time, 1 where absent; a sum is fetched and put away once for both. */
  steps?: 2;
  /** nt with `broadcast`: what the group reads of w is touched first (touch.ts). */
  touch?: boolean;
  /** nt with `broadcast`: a step goes through a whole block of a packed weight (blocks.ts). */
  blocks?: boolean;
}

type Tile = ProductShape & Registers;

/** Workgroup width: lanes lie along the columns of the result. */
function lanesOf(tile: Registers): number {
  return tile.broadcast || 64;
}

/** Columns, in nt side by side, that one workgroup covers. In nn and tn a lane owns whole words of columns. */
function columnsPerGroup(tile: Tile): number {
  const own = tile.form === 'nt' ? 1 : tile.form === 'nn' ? rightOf(tile).width : tile.vector;
  return lanesOf(tile) * sideBySide(tile, tile.cols) * own;
}

/** Rows fastest: what was read of w stays in the cache for the next rows. */
export function registersGroups(tile: Tile, rows: number, width: number): [number, number] {
  return [Math.ceil(rows / tile.rows), Math.ceil(sideBySide(tile, width) / columnsPerGroup(tile))];
}

export function registersSource(tile: Tile): string {
  const { form, broadcast } = tile;
  const lanes = lanesOf(tile);
  return [
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
}

/** The groups are as many as the largest product of the dispatch needs; a smaller one has nothing to do in the last of them. */
function leaveEarly(tile: Tile): string[] {
  const rows = tile.form === 'tn' ? 'shape.n' : 'shape.m';
  return [`if (row0 >= ${rows} || wg.y * ${columnsPerGroup(tile)}u >= shape.k) { return; }`];
}

/** Sums of the tile and their names. */
const cells = (tile: Tile, parts = 1): Cell[] =>
  range(tile.rows).flatMap((i) =>
    range(tile.cols).flatMap((j) =>
      range(parts).map((v) => ({ i, j, v, name: parts === 1 ? `c_${i}_${j}` : `c_${i}_${j}_${v}` })),
    ),
  );

function nt(tile: Tile): string {
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

function nn(tile: Tile): string {
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

function tn(tile: Tile): string {
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

/** Each lane writes the `vectors` vectors of its words; `words` is the name of a row's length in words. */
function writeVectors(tile: Tile, limit: string, words: string, vectors: number): string[] {
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
