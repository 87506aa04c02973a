/**
 * A product in tiles of workgroup memory, for graphics cards: a workgroup stages a few steps of both operands at a time, decoding a
 * weight once for all its rows, and every invocation keeps TM × TN results in registers. Neighbouring invocations read
 * neighbouring words of memory; tiles of w along k are padded so that they read from different banks. What the next steps need
 * is asked for before the multiplying begins, so that memory and arithmetic work at once.
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
  /** Steps of the contraction that are staged at once, in vectors of four; 4 where absent. */
  depth?: number;
  /** Whether the next steps are asked for before the multiplying begins. */
  ahead?: boolean;
  /** Groups below which the contraction is shared among more of them (product.ts); 0 is never. */
  enough?: number;
  /**
   * Whether groups along z share the contraction: each adds up `chunk` of its steps, and its sums lie `part` numbers after those of
   * the group before it. What is folded in comes with the first.
   */
  shared?: boolean;
}

type Tile = ProductShape & Tiled;

const depthOf = ({ depth = 4 }: Tiled) => depth;

const threadsOf = ({ bm, bn, tm, tn }: Tiled) => (bm / tm) * (bn / tn);

/** Rows fastest: what was read of w stays in the cache for the next rows. */
export function tiledGroups(tile: Tiled, rows: number, width: number): [number, number] {
  return [Math.ceil(rows / tile.bm), Math.ceil(width / tile.bn)];
}

function vectorsOfRight(tile: Tiled, form: ProductShape['form']): number {
  return tile.bn * (form === 'nt' ? depthOf(tile) + 1 : depthOf(tile));
}

export function tiledSource(tile: Tile): string {
  const { form, bm, bn, tm, tn, stage } = tile;
  const element = stage === 'f16' ? 'vec4<f16>' : 'vec4f';
  const across = bn / tn;
  const depth = depthOf(tile);
  const left = stageLeft(tile, element);
  const right = form === 'nt' ? stageRightNt(tile, element) : stageRightNn(tile, element);
  const fetch = (from: string) => [`let next = ${from};`, ...left.fetch, ...right.fetch];
  return [
    stage === 'f16' ? 'enable f16;' : '',
    ...operands(tile),
    `var<workgroup> tileA: array<${element}, ${bm * depth}>;`,
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
    // where the contraction begins and ends, in vectors of four
    form === 'nt' ? 'let whole = width;' : 'let whole = (shape.n + 3u) / 4u;',
    tile.shared ? 'let begin = wg.z * (shape.chunk / 4u);' : 'const begin = 0u;',
    tile.shared ? 'let length = min(begin + shape.chunk / 4u, whole);' : 'let length = whole;',
    ...sums(tile).map(({ name }) => `var ${name} = ${form === 'nt' ? '0.0' : 'vec4f()'};`),
    ...left.hold,
    ...right.hold,
    ...(tile.ahead ? ['{', ...fetch('begin'), '}'] : []),
    `for (var s = begin; s < length; s += ${depth}u) {`,
    ...(tile.ahead ? [] : ['{', ...fetch('s'), '}']),
    ...left.put,
    ...right.put,
    'workgroupBarrier();',
    ...(tile.ahead ? [`if (s + ${depth}u < length) {`, ...fetch(`s + ${depth}u`), '}'] : []),
    ...range(depth).flatMap((q) => [
      '{',
      ...range(tm).map((i) => `let a_${i} = vec4f(tileA[(ty * ${tm}u + ${i}u) * ${depth}u + ${q}u]);`),
      ...(form === 'nt' ? stepNt(tile, q) : stepNn(tile, q)),
      '}',
    ]),
    'workgroupBarrier();',
    '}',
    ...sums(tile).map(({ name }) => `${name} *= shape.scale;`),
    ...(tile.lora ? [tile.shared ? 'if (wg.z == 0u) {' : '{', ...lowRank(tile), '}'] : []),
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

/** How one operand comes into workgroup memory. */
interface Staging {
  /** Variables for what an invocation has asked for. */
  hold: string[];
  /** Asks for the steps from `next` on. */
  fetch: string[];
  /** Puts what was asked for into workgroup memory; those steps begin at `s`. */
  put: string[];
}

/** Text for each of an invocation's loads: of `vectors` vectors, the one with number `e` in the tile. */
function eachLoad(tile: Tile, vectors: number, body: (load: number) => string[]): string[] {
  const threads = threadsOf(tile);
  return range(Math.ceil(vectors / threads)).flatMap((l) => [
    vectors % threads === 0 ? '{' : `if (t + ${l * threads}u < ${vectors}u) {`,
    `let e = t + ${l * threads}u;`,
    ...body(l),
    '}',
  ]);
}

const loadsOf = (tile: Tile, vectors: number) => range(Math.ceil(vectors / threadsOf(tile)));

function stageLeft(tile: Tile, element: string): Staging {
  const depth = depthOf(tile);
  const vectors = tile.bm * depth;
  return {
    hold: loadsOf(tile, vectors).map((l) => `var left_${l}: vec4f;`),
    fetch: eachLoad(tile, vectors, (l) => [
      `let row = min(row0 + e / ${depth}u, shape.m - 1u);`,
      `let q = min(next + e % ${depth}u, length - 1u);`,
      tile.form === 'nt'
        ? `left_${l} = left[row * width + q];`
        : `left_${l} = left[(row * shape.leftRow + shape.left0) / 4u + q];`,
    ]),
    put: eachLoad(tile, vectors, (l) => [
      `tileA[e] = ${element}(select(vec4f(), left_${l}, s + e % ${depth}u < length));`,
    ]),
  };
}

/** The word of w that holds vector number `c` along k of row `n`, its scale, and which of its vectors that is. */
function stageRight(
  tile: Tile,
  place: { vectors: number; n: string; c: string; inside: string; at: string },
  element: string,
): Staging {
  const right = rightOf(tile);
  const inWord = right.width / 4;
  const scaled = right.wordsPerBlock > 0;
  return {
    hold: loadsOf(tile, place.vectors).flatMap((l) => [
      `var word_${l}: ${right.word};`,
      scaled ? `var scale_${l}: ${right.scaleType};` : '',
    ]),
    fetch: eachLoad(tile, place.vectors, (l) => [
      'let first = next;',
      `let n = ${place.n};`,
      `let at = n * words + ${place.c} / ${inWord}u;`,
      `word_${l} = right[shape.right0 / ${right.width}u + at];`,
      scaled ? `scale_${l} = ${right.scale(`at / ${right.wordsPerBlock}u`)};` : '',
    ]),
    put: eachLoad(tile, place.vectors, (l) => [
      'let first = s;',
      `let value = ${right.vectorAt(`word_${l}`, `(${place.c} % ${inWord}u)`, `scale_${l}`)};`,
      `tileB[${place.at}] = ${element}(select(vec4f(), value, ${place.inside}));`,
    ]),
  };
}

/** [column][step], steps padded by one vector */
function stageRightNt(tile: Tile, element: string): Staging {
  const depth = depthOf(tile);
  const place = {
    vectors: tile.bn * depth,
    n: `min(col0 + e / ${depth}u, shape.n - 1u)`,
    c: `min(first + e % ${depth}u, width - 1u)`,
    inside: `first + e % ${depth}u < length`,
    at: `(e / ${depth}u) * ${depth + 1}u + e % ${depth}u`,
  };
  return stageRight(tile, place, element);
}

/** [step][column vector] */
function stageRightNn(tile: Tile, element: string): Staging {
  const across = tile.bn / 4;
  const place = {
    vectors: 4 * depthOf(tile) * across,
    n: `min(first * 4u + e / ${across}u, shape.n - 1u)`,
    c: `min(col0 / 4u + e % ${across}u, width - 1u)`,
    inside: `first * 4u + e / ${across}u < min(length * 4u, shape.n)`,
    at: 'e',
  };
  return stageRight(tile, place, element);
}

function stepNt(tile: Tile, q: number): string[] {
  const { bn, tn } = tile;
  const across = bn / tn;
  const row = depthOf(tile) + 1;
  return [
    ...range(tn).map((j) => `let b_${j} = vec4f(tileB[(tx + ${j * across}u) * ${row}u + ${q}u]);`),
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
  const zero = form === 'nt' ? '0.0' : 'vec4f()';
  return sums(tile).flatMap(({ i, j, name }) => {
    const row = `(row0 + ty * ${tm}u + ${i}u)`;
    const col = column(tile, j);
    const at = `(${row} * shape.resultRow + shape.result0)${unit} + ${col}`;
    const limit = form === 'nt' ? 'shape.n' : 'width';
    const more = extras(tile, 'at', col);
    const inside = `if (${row} < shape.m && ${col} < ${limit}) {`;
    if (!tile.shared) return [inside, `let at = ${at};`, `result[at] = ${[name, ...more].join(' + ')};`, '}'];
    return [
      inside,
      `let at = ${at};`,
      `var more = ${zero};`,
      more.length > 0 ? `if (wg.z == 0u) { more = ${more.join(' + ')}; }` : '',
      `result[wg.z * (shape.part${unit}) + at] = ${name} + more;`,
      '}',
    ];
  });
}
