/**
 * The three matrix products of training, written out as WGSL for one set of tile sizes:
 *
 *   nt   y [m, n]  = Σk x [m, k] · w [n, k]      forward
 *   nn   dx [m, k] = Σn dy [m, n] · w [n, k]     backward through a weight
 *   tn   g [n, k]  = Σm p [m, n] · q [m, k]      gradient of a weight
 *
 * Every invocation keeps ROWS × COLS results in registers; the loops over them are written out here because drivers unroll
 * badly. With `broadcast` a workgroup is one subgroup and the left operand is loaded once and passed round by shuffle:
 * 3 to 5 times faster on processor drivers (no shared memory, no barriers). Without it any device runs it.
 */
import type { WeightFormat } from '../protocol/weightFormats';
import { rightForm } from './product.right';

export type ProductForm = 'nt' | 'nn' | 'tn';

export interface ProductShape {
  form: ProductForm;
  /** How w lies in memory; tn reads f32. */
  format: WeightFormat;
  /** Elements that the contiguous direction is read in: 4, or 1 where a width is not a multiple of 4. */
  vector: 1 | 4;
  /** Low-rank part folded in as extra steps: nt adds scale·u·bᵀ, nn adds du·a. */
  lora: boolean;
  bias: boolean;
  /** Added to the result: the residual stream, or a gradient to add to. */
  add: boolean;
  /** Adds to what is in the result already: the later parts of a weight in nn. */
  accumulate: boolean;
  rows: number;
  cols: number;
  /** Subgroup size to broadcast within, 0 for none. */
  broadcast: number;
}

/** Workgroup width: lanes lie along the columns of the result. */
export function lanesOf(shape: ProductShape): number {
  return shape.broadcast || 64;
}

/** Result columns that one workgroup covers. In nn and tn a lane owns whole words of columns. */
export function columnsPerGroup(shape: ProductShape): number {
  const own = shape.form === 'nt' ? 1 : shape.form === 'nn' ? rightOf(shape).width : shape.vector;
  return lanesOf(shape) * shape.cols * own;
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const rightOf = (shape: ProductShape) => rightForm(shape.format, shape.vector === 4);

export function productSource(shape: ProductShape): string {
  const { form, broadcast } = shape;
  const lanes = lanesOf(shape);
  return [
    broadcast ? 'enable subgroups;' : '',
    // m, n, k of the header, n being that of this part of the weight, which begins at row n0 of `all`; rank of the
    // low-rank part; scale on the product, loraScale on the low-rank part.
    'struct Shape { m: u32, n: u32, k: u32, rank: u32, scale: f32, loraScale: f32, n0: u32, all: u32 }',
    ...bindings(shape),
    rightOf(shape).functions,
    `@compute @workgroup_size(${lanes})`,
    `fn main(@builtin(workgroup_id) wg: vec3u, @builtin(${broadcast ? 'subgroup_invocation_id' : 'local_invocation_index'}) lane: u32) {`,
    `  let row0 = wg.y * ${shape.rows}u;`,
    `  let col0 = wg.x * ${lanes * shape.cols}u + lane;`,
    form === 'nt' ? nt(shape) : form === 'nn' ? nn(shape) : tn(shape),
    '}',
  ].join('\n');
}

/** Buffers in the order in which product.ts binds them. */
function bindings(shape: ProductShape): string[] {
  const vector = shape.vector === 4 ? 'vec4f' : 'f32';
  const right = rightOf(shape);
  const left = shape.form === 'tn' ? 'f32' : vector;
  const result = shape.form === 'nt' ? 'f32' : vector;
  const list = [`left: array<${left}>`, `right: array<${right.word}>`];
  if (right.wordsPerBlock > 0) list.push('scales: array<u32>');
  if (shape.lora) list.push('low: array<f32>', `up: array<${shape.form === 'nt' ? 'f32' : vector}>`);
  if (shape.bias) list.push('bias: array<f32>');
  if (shape.add) list.push(`added: array<${result}>`);
  const read = list.map((text, index) => `@group(0) @binding(${index}) var<storage, read> ${text};`);
  const at = list.length;
  return [
    ...read,
    `@group(0) @binding(${at}) var<storage, read_write> result: array<${result}>;`,
    `@group(0) @binding(${at + 1}) var<uniform> shape: Shape;`,
  ];
}

/**
 * Text that defines a_0 … a_(rows-1): element `at(row)` of the left operand for each row of the tile.
 * Rows past `limit` read the last row; their results are never written.
 */
function leftRows(shape: ProductShape, at: (row: string) => string, limit: string, name = 'a'): string[] {
  const { rows, broadcast } = shape;
  const clamp = (row: string) => `min(${row}, ${limit} - 1u)`;
  if (!broadcast) return range(rows).map((i) => `let ${name}_${i} = ${at(clamp(`row0 + ${i}u`))};`);
  const loads = range(Math.ceil(rows / broadcast)).map(
    (l) =>
      `let own${name}_${l} = ${at(clamp(`row0 + ${l * broadcast}u + lane % ${Math.min(rows, broadcast)}u`))};`,
  );
  const shares = range(rows).map(
    (i) =>
      `let ${name}_${i} = subgroupBroadcast(own${name}_${Math.floor(i / broadcast)}, ${i % broadcast}u);`,
  );
  return [...loads, ...shares];
}

/** Sums of the tile: names and their zero. */
const cells = (shape: ProductShape, parts = 1) =>
  range(shape.rows).flatMap((i) =>
    range(shape.cols).flatMap((j) =>
      range(parts).map((v) => ({ i, j, v, name: parts === 1 ? `c_${i}_${j}` : `c_${i}_${j}_${v}` })),
    ),
  );

function nt(shape: ProductShape): string {
  const { cols, vector, lora } = shape;
  const lanes = lanesOf(shape);
  const right = rightOf(shape);
  const vectors = right.width === 1 ? 1 : right.width / 4;
  const all = cells(shape);
  const fma = (c: string, a: string, b: string) =>
    vector === 4
      ? `${c} = fma(${a}.x, ${b}.x, fma(${a}.y, ${b}.y, fma(${a}.z, ${b}.z, fma(${a}.w, ${b}.w, ${c}))));`
      : `${c} = fma(${a}, ${b}, ${c});`;
  /** One word of every column against the matching vectors of every row; `s` is the word's number in its row. */
  const step = [
    ...range(cols).map((j) => `let word_${j} = right[col_${j} * words + s];`),
    ...range(vectors).flatMap((v) => [
      '{',
      ...leftRows(shape, (row) => `left[${row} * width + s * ${vectors}u + ${v}u]`, 'shape.m'),
      ...range(cols).map((j) => `let b_${j} = ${right.vectors(`word_${j}`, `scale_${j}`)[v] ?? ''};`),
      ...all.map(({ i, j, name }) => fma(name, `a_${i}`, `b_${j}`)),
      '}',
    ]),
  ];
  const { wordsPerBlock } = right;
  const loop =
    wordsPerBlock === 0
      ? ['for (var s = 0u; s < words; s++) {', ...step, '}']
      : [
          `let blocks = words / ${wordsPerBlock}u;`,
          'for (var block = 0u; block < blocks; block++) {',
          ...range(cols).map((j) => `let scale_${j} = ${right.scale(`col_${j} * blocks + block`)};`),
          `for (var w = 0u; w < ${wordsPerBlock}u; w++) {`,
          `let s = block * ${wordsPerBlock}u + w;`,
          ...step,
          '}',
          '}',
        ];
  const body = [
    ...range(cols).map((j) => `let col_${j} = min(col0 + ${j * lanes}u, shape.n - 1u);`),
    ...all.map(({ name }) => `var ${name} = 0.0;`),
    `let width = shape.k / ${vector}u;`,
    `let words = shape.k / ${right.width}u;`,
    ...loop,
    ...all.map(({ name }) => `${name} *= shape.scale;`),
  ];
  if (lora)
    body.push(
      'for (var s = 0u; s < shape.rank; s++) {',
      ...leftRows(shape, (row) => `low[${row} * shape.rank + s]`, 'shape.m'),
      ...range(cols).map((j) => `let b_${j} = shape.loraScale * up[(shape.n0 + col_${j}) * shape.rank + s];`),
      ...all.map(({ i, j, name }) => `${name} = fma(a_${i}, b_${j}, ${name});`),
      '}',
    );
  for (const i of range(shape.rows)) {
    body.push(`if (row0 + ${i}u < shape.m) {`);
    for (const j of range(cols)) {
      const at = `(row0 + ${i}u) * shape.all + shape.n0 + col0 + ${j * lanes}u`;
      const sum = [`c_${i}_${j}`];
      if (shape.bias) sum.push(`bias[shape.n0 + col_${j}]`);
      if (shape.add) sum.push(`added[${at}]`);
      body.push(`  if (col0 + ${j * lanes}u < shape.n) { result[${at}] = ${sum.join(' + ')}; }`);
    }
    body.push('}');
  }
  return body.join('\n');
}

function nn(shape: ProductShape): string {
  const { cols, vector, lora } = shape;
  const lanes = lanesOf(shape);
  const right = rightOf(shape);
  const vectors = right.width === 1 ? 1 : right.width / 4;
  const parts = vector === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  const all = cells(shape, vectors);
  const addTo = (name: string, a: string, b: string) =>
    vector === 4 ? `${name} = fma(vec4f(${a}), ${b}, ${name});` : `${name} = fma(${a}, ${b}, ${name});`;
  const body = [
    `let width = shape.k / ${vector}u;`,
    `let words = shape.k / ${right.width}u;`,
    ...range(cols).map((j) => `let word_${j} = min(col0 + ${j * lanes}u, words - 1u);`),
    ...all.map(({ name }) => `var ${name} = ${vector === 4 ? 'vec4f()' : '0.0'};`),
    // n, n0 and all are multiples of `vector` here, so dy is read in vectors too
    `let steps = shape.n / ${vector}u;`,
    'for (var s = 0u; s < steps; s++) {',
    ...leftRows(shape, (row) => `left[(${row} * shape.all + shape.n0) / ${vector}u + s]`, 'shape.m'),
  ];
  parts.forEach((part, index) => {
    body.push('{', `let n = s * ${vector}u + ${index}u;`);
    for (const j of range(cols)) {
      body.push(`let own_${j} = right[n * words + word_${j}];`);
      if (right.wordsPerBlock > 0)
        body.push(`let scale_${j} = ${right.scale(`(n * words + word_${j}) / ${right.wordsPerBlock}u`)};`);
      right.vectors(`own_${j}`, `scale_${j}`).forEach((text, v) => body.push(`let b_${j}_${v} = ${text};`));
    }
    body.push(...all.map(({ i, j, v, name }) => addTo(name, `a_${i}${part}`, `b_${j}_${v}`)), '}');
  });
  body.push('}', ...all.map(({ name }) => `${name} *= shape.scale;`));
  if (lora)
    body.push(
      'for (var s = 0u; s < shape.rank; s++) {',
      ...leftRows(shape, (row) => `low[${row} * shape.rank + s]`, 'shape.m'),
      ...range(cols).flatMap((j) =>
        range(vectors).map(
          (v) => `let b_${j}_${v} = shape.loraScale * up[s * width + word_${j} * ${vectors}u + ${v}u];`,
        ),
      ),
      ...all.map(({ i, j, v, name }) => addTo(name, `a_${i}`, `b_${j}_${v}`)),
      '}',
    );
  body.push(...writeVectors(shape, 'shape.m', 'words', vectors));
  return body.join('\n');
}

function tn(shape: ProductShape): string {
  const { cols, vector } = shape;
  const lanes = lanesOf(shape);
  const all = cells(shape);
  const left = (i: number) => (vector === 4 ? `vec4f(a_${i})` : `a_${i}`);
  return [
    `let width = shape.k / ${vector}u;`,
    ...range(cols).map((j) => `let col_${j} = min(col0 + ${j * lanes}u, width - 1u);`),
    ...all.map(({ name }) => `var ${name} = ${vector === 4 ? 'vec4f()' : '0.0'};`),
    'for (var s = 0u; s < shape.m; s++) {',
    ...leftRows(shape, (row) => `left[s * shape.n + ${row}]`, 'shape.n'),
    ...range(cols).map((j) => `let b_${j} = right[s * width + col_${j}];`),
    ...all.map(({ i, j, name }) => `${name} = fma(${left(i)}, b_${j}, ${name});`),
    '}',
    ...all.map(({ name }) => `${name} *= shape.scale;`),
    ...writeVectors(shape, 'shape.n', 'width', 1),
  ].join('\n');
}

/** Each lane writes the `vectors` vectors of its words; `words` is the name of a row's length in words. */
function writeVectors(shape: ProductShape, limit: string, words: string, vectors: number): string[] {
  const lanes = lanesOf(shape);
  return range(shape.rows).flatMap((i) => [
    `if (row0 + ${i}u < ${limit}) {`,
    ...range(shape.cols).flatMap((j) => {
      const word = `col0 + ${j * lanes}u`;
      const lines = range(vectors).map((v) => {
        const at = `(row0 + ${i}u) * width + (${word}) * ${vectors}u + ${v}u`;
        const sum = [vectors === 1 ? `c_${i}_${j}` : `c_${i}_${j}_${v}`];
        if (shape.add) sum.push(`added[${at}]`);
        if (shape.accumulate) sum.push(`result[${at}]`);
        return `result[${at}] = ${sum.join(' + ')};`;
      });
      return [`  if (${word} < ${words}) {`, ...lines, '  }'];
    }),
    '}',
  ]);
}
