/**
 * A product whose lanes lie along the contraction: for few rows (generation, where every weight is read once) and for few columns (the
 * down-projections of an adapter). Every lane adds up its share of ROWS × COLS results, then the lanes are added up: by the subgroup
 * where a workgroup is one, in workgroup memory elsewhere.
 */
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

export interface Reduce {
  design: 'reduce';
  rows: number;
  /** Columns of a workgroup; a multiple of 4 in nn. */
  cols: number;
  lanes: number;
  /** The workgroup is one subgroup. */
  subgroup: boolean;
}

type Tile = ProductShape & Reduce;

export function reduceGroups(tile: Reduce, rows: number, width: number): [number, number] {
  return [Math.ceil(rows / tile.rows), Math.ceil(width / tile.cols)];
}

export function reduceSource(tile: Tile): string {
  const { form, rows, cols, lanes, subgroup } = tile;
  if (tile.vector !== 4) throw new Error('This design reads vectors of four.');
  const run = sideBySide(tile, cols);
  const all = range(rows).flatMap((i) => range(run).map((j) => ({ i, j, index: i * run + j })));
  const name = (i: number, j: number) => (form === 'nt' ? `c_${i}_${j}` : `c_${i}_${j >> 2}[${j % 4}]`);
  /** The sums of one result: its own, or its gate's and its up's. */
  const names = (i: number, j: number) => (tile.gate ? [name(i, j), name(i, j + run)] : [name(i, j)]);
  const own = tile.batches > 1 ? 'shape, ' : '';
  const collect = subgroup
    ? all.map(({ i, j, index }) =>
        [
          ...names(i, j).map((sum, part) => `let sum_${index}_${part} = subgroupAdd(${sum});`),
          `if (lane == ${index % lanes}u) {`,
          `finish(${own}row0 + ${i}u, col0 + ${j}u, ${names(i, j)
            .map((_, part) => `sum_${index}_${part}`)
            .join(', ')});`,
          '}',
        ].join('\n'),
      )
    : inWorkgroup(
        tile,
        own,
        all.map(({ i, j }) => names(i, j)),
      );
  return [
    subgroup ? 'enable subgroups;' : '',
    // results are written one by one, so nn binds its vectors as numbers
    ...operands(tile).map((line) => (form === 'nn' ? scalarResult(line) : line)),
    subgroup ? '' : `var<workgroup> shared_sums: array<f32, ${rows * cols * (lanes + 1)}>;`,
    finish(tile),
    `@compute @workgroup_size(${lanes})`,
    'fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {',
    ...ownShape(tile),
    `let row0 = wg.x * ${rows}u;`,
    `let col0 = wg.y * ${run}u;`,
    'let width = shape.k / 4u;',
    `let words = shape.k / ${rightOf(tile).width}u;`,
    ...(form === 'nt' ? alongK(tile) : alongN(tile)),
    ...collect,
    '}',
  ].join('\n');
}

/**
 * Adds the lanes up in workgroup memory: several lanes share the sums of a result, then one adds those. The row of a result is one
 * number longer than the lanes, so that neighbouring lanes read from different banks.
 */
function inWorkgroup(tile: Tile, own: string, names: string[][]): string[] {
  const { lanes } = tile;
  const run = sideBySide(tile, tile.cols);
  const count = names.length;
  const parts = range(names[0]?.length ?? 0);
  const sharers = Math.max(1, Math.floor(lanes / count));
  const each = Math.ceil(lanes / sharers);
  const row = lanes + 1;
  const held = (part: number, at: string) => `shared_sums[(cell + ${part * count}u) * ${row}u + ${at}]`;
  const sums = parts.map((part) => `sum_${part}`);
  const finished = `finish(${own}row0 + cell / ${run}u, col0 + cell % ${run}u, ${sums.join(', ')});`;
  const added = (from: string, to: string) => [
    ...sums.map((sum) => `var ${sum} = 0.0;`),
    `for (var l = ${from}; l < ${to}; l++) {`,
    ...parts.map((part) => `sum_${part} += ${held(part, 'l')};`),
    '}',
  ];
  const write = [
    ...names.flatMap((own, cell) =>
      own.map((name, part) => `shared_sums[${(cell + part * count) * row}u + lane] = ${name};`),
    ),
    'workgroupBarrier();',
  ];
  if (sharers === 1)
    return [
      ...write,
      `for (var cell = lane; cell < ${count}u; cell += ${lanes}u) {`,
      ...added('0u', `${lanes}u`),
      finished,
      '}',
    ];
  return [
    ...write,
    `let cell = lane % ${count}u;`,
    `let share = lane / ${count}u;`,
    ...added(`share * ${each}u`, `min(share * ${each}u + ${each}u, ${lanes}u)`),
    'workgroupBarrier();',
    `if (share < ${sharers}u) {`,
    ...parts.map((part) => `${held(part, 'share')} = sum_${part};`),
    '}',
    'workgroupBarrier();',
    'if (share == 0u) {',
    ...added('0u', `${sharers}u`),
    finished,
    '}',
  ];
}

function scalarResult(line: string): string {
  return /> (result|added|up):/.test(line) ? line.replace('array<vec4f>', 'array<f32>') : line;
}

/** Lanes over the words of k. */
function alongK(tile: Tile): string[] {
  const { rows, cols, lanes } = tile;
  const run = sideBySide(tile, cols);
  const right = rightOf(tile);
  const vectors = right.width / 4;
  const cells = range(rows).flatMap((i) => range(cols).map((j) => ({ i, j, name: `c_${i}_${j}` })));
  return [
    ...range(rows).map((i) => `let row_${i} = min(row0 + ${i}u, shape.m - 1u) * width;`),
    `let ends = ${resultColumns(tile)};`,
    ...range(cols).map(
      (j) => `let col_${j} = (min(col0 + ${j % run}u, ends - 1u)${j < run ? '' : ' + ends'}) * words;`,
    ),
    ...cells.map(({ name }) => `var ${name} = 0.0;`),
    `for (var s = lane; s < words; s += ${lanes}u) {`,
    ...range(rows).flatMap((i) =>
      range(vectors).map((v) => `let a_${i}_${v} = left[row_${i} + s * ${vectors}u + ${v}u];`),
    ),
    ...range(cols).flatMap((j) => [
      '{',
      `let word = right[col_${j} + s];`,
      right.wordsPerBlock > 0
        ? `let scale = ${right.scale(`(col_${j} + s) / ${right.wordsPerBlock}u`)};`
        : '',
      ...right.vectors('word', 'scale').map((text, v) => `let b_${v} = ${text};`),
      ...range(rows).flatMap((i) =>
        range(vectors).map((v) => dotInto(`c_${i}_${j}`, `a_${i}_${v}`, `b_${v}`, 4)),
      ),
      '}',
    ]),
    '}',
  ];
}

/** Lanes over vectors of n; w is f32 [n, k]. */
function alongN(tile: Tile): string[] {
  const { rows, cols, lanes } = tile;
  const vectors = cols / 4;
  return [
    ...range(rows).map(
      (i) => `let row_${i} = (min(row0 + ${i}u, shape.m - 1u) * shape.leftRow + shape.left0) / 4u;`,
    ),
    ...range(vectors).map((v) => `let col_${v} = min(col0 / 4u + ${v}u, width - 1u);`),
    ...range(rows).flatMap((i) => range(vectors).map((v) => `var c_${i}_${v} = vec4f();`)),
    `for (var s = lane; s < shape.n / 4u; s += ${lanes}u) {`,
    ...range(rows).map((i) => `let a_${i} = left[row_${i} + s];`),
    ...['x', 'y', 'z', 'w'].flatMap((part, p) => [
      '{',
      ...range(vectors).map(
        (v) => `let b_${v} = right[shape.right0 / 4u + (s * 4u + ${p}u) * width + col_${v}];`,
      ),
      ...range(rows).flatMap((i) =>
        range(vectors).map((v) => `c_${i}_${v} = fma(vec4f(a_${i}.${part}), b_${v}, c_${i}_${v});`),
      ),
      '}',
    ]),
    '}',
  ];
}

/** Scales one sum, adds what is folded in, and writes it; with gates two of them, a gate's and its up's. */
function finish(tile: Tile): string {
  const nt = tile.form === 'nt';
  const steps = nt ? lowRankColumns(tile, ['col'], 'col', 'col') : null;
  const up = steps ? steps.value(0) : 'shape.loraScale * up[s * shape.k + col]';
  const [given, own] = tile.batches > 1 ? ['shape: Shape, ', 'shape, '] : ['', ''];
  return [
    `fn whole(${given}row: u32, col: u32, at: u32, sum: f32) -> f32 {`,
    'var value = sum * shape.scale;',
    ...(tile.lora
      ? [
          ...(steps?.head ?? ['let begin = 0u;', 'let end = shape.rank;']),
          `for (var s = begin; s < end; s++) { value = fma(low[row * shape.rank + s], ${up}, value); }`,
        ]
      : []),
    `return ${['value', ...extras(tile, 'at', 'col')].join(' + ')};`,
    '}',
    `fn finish(${given}row: u32, col: u32, sum: f32${tile.gate ? ', sum_of_up: f32' : ''}) {`,
    `let ends = ${nt ? resultColumns(tile) : 'shape.k'};`,
    'if (row >= shape.m || col >= ends) { return; }',
    'let at = row * shape.resultRow + shape.result0 + col;',
    tile.gate
      ? 'result[at] = gated(whole(row, col, at, sum), whole(row, col + ends, at, sum_of_up));'
      : `result[at] = whole(${own}row, col, at, sum);`,
    '}',
  ].join('\n');
}
