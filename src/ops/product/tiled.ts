/**
 * A product in tiles of workgroup memory, for graphics cards: a workgroup stages 16 steps of both operands at a time, decoding a
 * weight once for all its rows, and every invocation keeps TM × TN results in registers. Neighbouring invocations read
 * neighbouring words of memory; tiles of w along k are padded so that they read from different banks.
 */
import {
  dotInto,
  extras,
  lowRankColumns,
  operands,
  ownShape,
  range,
  rightOf,
  type ProductShape,
} from './operands';

export interface Tiled {
  design: 'tiled';
  /** Rows and columns of the result that a workgroup makes. */
  bm: number;
  bn: number;
  /** Those of one invocation; tn is a multiple of 4. */
  tm: number;
  tn: number;
  /** How operands lie in workgroup memory; sums are f32 always. f16 needs shader-f16 and rounds both operands. */
  stage: 'f32' | 'f16';
}

type Tile = ProductShape & Tiled;

/** Steps of the contraction that are staged at once, in vectors of four. */
const DEPTH = 4;

const threadsOf = ({ bm, bn, tm, tn }: Tiled) => (bm / tm) * (bn / tn);

/** Rows fastest: what was read of w stays in the cache for the next rows. */
export function tiledGroups(tile: Tiled, rows: number, width: number): [number, number] {
  return [Math.ceil(rows / tile.bm), Math.ceil(width / tile.bn)];
}

function vectorsOfRight({ bn }: Tiled, form: ProductShape['form']): number {
  return form === 'nt' ? bn * (DEPTH + 1) : (4 * DEPTH * bn) / 4;
}

export function tiledSource(tile: Tile): string {
  const { form, bm, bn, tm, tn, stage } = tile;
  const element = stage === 'f16' ? 'vec4<f16>' : 'vec4f';
  const across = bn / tn;
  return [
    stage === 'f16' ? 'enable f16;' : '',
    ...operands(tile),
    `var<workgroup> tileA: array<${element}, ${bm * DEPTH}>;`,
    `var<workgroup> tileB: array<${element}, ${vectorsOfRight(tile, form)}>;`,
    `@compute @workgroup_size(${threadsOf(tile)})`,
    'fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) t: u32) {',
    ...ownShape(tile),
    `let row0 = wg.x * ${bm}u;`,
    `let col0 = wg.y * ${bn}u;`,
    `let tx = t % ${across}u;`,
    `let ty = t / ${across}u;`,
    'let width = shape.k / 4u;',
    `let words = shape.k / ${rightOf(tile).width}u;`,
    // the contraction's length in vectors of four
    form === 'nt' ? 'let length = width;' : 'let length = (shape.n + 3u) / 4u;',
    ...sums(tile).map(({ name }) => `var ${name} = ${form === 'nt' ? '0.0' : 'vec4f()'};`),
    `for (var s = 0u; s < length; s += ${DEPTH}u) {`,
    ...stageLeft(tile, element),
    ...(form === 'nt' ? stageRightNt(tile, element) : stageRightNn(tile, element)),
    'workgroupBarrier();',
    ...range(DEPTH).flatMap((q) => [
      '{',
      ...range(tm).map((i) => `let a_${i} = vec4f(tileA[(ty * ${tm}u + ${i}u) * ${DEPTH}u + ${q}u]);`),
      ...(form === 'nt' ? stepNt(tile, q) : stepNn(tile, q)),
      '}',
    ]),
    'workgroupBarrier();',
    '}',
    ...sums(tile).map(({ name }) => `${name} *= shape.scale;`),
    ...(tile.lora ? lowRank(tile) : []),
    ...write(tile),
    '}',
  ].join('\n');
}

/** nt: a number for each row and column; nn: a vector for each row and four columns. */
function sums({ form, tm, tn }: Tile) {
  return range(tm).flatMap((i) =>
    range(form === 'nt' ? tn : tn / 4).map((j) => ({ i, j, name: `c_${i}_${j}` })),
  );
}

function eachLoad(tile: Tile, vectors: number, body: (at: string) => string[]): string[] {
  const threads = threadsOf(tile);
  return range(Math.ceil(vectors / threads)).flatMap((l) => [
    vectors % threads === 0 ? '{' : `if (t + ${l * threads}u < ${vectors}u) {`,
    `let e = t + ${l * threads}u;`,
    ...body('e'),
    '}',
  ]);
}

function stageLeft(tile: Tile, element: string): string[] {
  return eachLoad(tile, tile.bm * DEPTH, (e) => [
    `let row = min(row0 + ${e} / ${DEPTH}u, shape.m - 1u);`,
    `let q = s + ${e} % ${DEPTH}u;`,
    tile.form === 'nt'
      ? 'let at = row * width + min(q, length - 1u);'
      : 'let at = (row * shape.leftRow + shape.left0) / 4u + min(q, length - 1u);',
    `tileA[${e}] = ${element}(select(vec4f(), left[at], q < length));`,
  ]);
}

/** One vector of w decoded: row `n`, vector number `c` along k. */
function decoded(tile: Tile, n: string, c: string): string[] {
  const right = rightOf(tile);
  const inWord = right.width / 4;
  return [
    `let word = right[shape.right0 / ${right.width}u + ${n} * words + ${c} / ${inWord}u];`,
    right.wordsPerBlock > 0
      ? `let scale = ${right.scale(`(${n} * words + ${c} / ${inWord}u) / ${right.wordsPerBlock}u`)};`
      : '',
    `let value = ${right.vectorAt('word', `(${c} % ${inWord}u)`, 'scale')};`,
  ];
}

/** [column][step], steps padded by one vector */
function stageRightNt(tile: Tile, element: string): string[] {
  return eachLoad(tile, tile.bn * DEPTH, (e) => [
    `let n = min(col0 + ${e} / ${DEPTH}u, shape.n - 1u);`,
    `let q = s + ${e} % ${DEPTH}u;`,
    'let c = min(q, width - 1u);',
    ...decoded(tile, 'n', 'c'),
    `tileB[(${e} / ${DEPTH}u) * ${DEPTH + 1}u + ${e} % ${DEPTH}u] = ${element}(select(vec4f(), value, q < length));`,
  ]);
}

/** [step][column vector] */
function stageRightNn(tile: Tile, element: string): string[] {
  const across = tile.bn / 4;
  return eachLoad(tile, 4 * DEPTH * across, (e) => [
    `let step = s * 4u + ${e} / ${across}u;`,
    'let n = min(step, shape.n - 1u);',
    `let c = min(col0 / 4u + ${e} % ${across}u, width - 1u);`,
    ...decoded(tile, 'n', 'c'),
    `tileB[${e}] = ${element}(select(vec4f(), value, step < shape.n));`,
  ]);
}

function stepNt(tile: Tile, q: number): string[] {
  const { bn, tn } = tile;
  const across = bn / tn;
  return [
    ...range(tn).map((j) => `let b_${j} = vec4f(tileB[(tx + ${j * across}u) * ${DEPTH + 1}u + ${q}u]);`),
    ...sums(tile).map(({ i, j, name }) => dotInto(name, `a_${i}`, `b_${j}`, 4)),
  ];
}

function stepNn(tile: Tile, q: number): string[] {
  const { bn, tn } = tile;
  const across = bn / tn;
  return ['x', 'y', 'z', 'w'].flatMap((part, p) => [
    '{',
    ...range(tn / 4).map((j) => `let b_${j} = vec4f(tileB[${(q * 4 + p) * (bn / 4) + j * across}u + tx]);`),
    ...sums(tile).map(({ i, j, name }) => `${name} = fma(vec4f(a_${i}.${part}), b_${j}, ${name});`),
    '}',
  ]);
}

/** Column of result j, in numbers (nt) or vectors (nn). */
function column(tile: Tile, j: number): string {
  const across = tile.bn / tile.tn;
  return tile.form === 'nt' ? `(col0 + tx + ${j * across}u)` : `(col0 / 4u + tx + ${j * across}u)`;
}

function lowRank(tile: Tile): string[] {
  const { form, tm, tn, bn } = tile;
  const cols = range(form === 'nt' ? tn : tn / 4);
  const nt = form === 'nt';
  const own = cols.map((j) => `min(${column(tile, j)}, shape.n - 1u)`);
  const steps = nt ? lowRankColumns(tile, own, 'col0', `col0 + ${bn - 1}u`) : null;
  return [
    ...(steps?.head ?? ['let begin = 0u;', 'let end = shape.rank;']),
    'for (var s = begin; s < end; s++) {',
    ...range(tm).map(
      (i) => `let a_${i} = low[min(row0 + ty * ${tm}u + ${i}u, shape.m - 1u) * shape.rank + s];`,
    ),
    ...cols.map((j) =>
      steps
        ? `let b_${j} = ${steps.value(j)};`
        : `let b_${j} = shape.loraScale * up[s * width + min(${column(tile, j)}, width - 1u)];`,
    ),
    ...sums(tile).map(({ i, j, name }) =>
      nt ? `${name} = fma(a_${i}, b_${j}, ${name});` : `${name} = fma(vec4f(a_${i}), b_${j}, ${name});`,
    ),
    '}',
  ];
}

function write(tile: Tile): string[] {
  const { form, tm } = tile;
  const unit = form === 'nt' ? '' : ' / 4u';
  return sums(tile).flatMap(({ i, j, name }) => {
    const row = `(row0 + ty * ${tm}u + ${i}u)`;
    const col = column(tile, j);
    const at = `(${row} * shape.resultRow + shape.result0)${unit} + ${col}`;
    const limit = form === 'nt' ? 'shape.n' : 'width';
    const value = [name, ...extras(tile, at, col)].join(' + ');
    return [`if (${row} < shape.m && ${col} < ${limit}) { result[${at}] = ${value}; }`];
  });
}
