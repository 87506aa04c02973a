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
export type ProductForm = 'nt' | 'nn' | 'tn';

export interface ProductShape {
  form: ProductForm;
  /** Elements that the contiguous direction is read in: 4, or 1 where a width is not a multiple of 4. */
  vector: 1 | 4;
  /** The right operand of nt and nn is f16 packed two to a u32 (needs `vector` 4). */
  half: boolean;
  /** Low-rank part folded in as extra steps: nt adds scale·u·bᵀ, nn adds du·a. */
  lora: boolean;
  bias: boolean;
  /** Added to the result: the residual stream, or a gradient to add to. */
  add: boolean;
  rows: number;
  cols: number;
  /** Subgroup size to broadcast within, 0 for none. */
  broadcast: number;
}

/** Workgroup width: lanes lie along the columns of the result. */
export function lanesOf(shape: ProductShape): number {
  return shape.broadcast || 64;
}

/** Result columns that one workgroup covers. In nn and tn a lane owns vectors of columns. */
export function columnsPerGroup(shape: ProductShape): number {
  return lanesOf(shape) * shape.cols * (shape.form === 'nt' ? 1 : shape.vector);
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

export function productSource(shape: ProductShape): string {
  const { form, broadcast } = shape;
  const lanes = lanesOf(shape);
  return [
    broadcast ? 'enable subgroups;' : '',
    // m, n, k of the header; rank of the low-rank part; scale on the product, loraScale on the low-rank part.
    'struct Shape { m: u32, n: u32, k: u32, rank: u32, scale: f32, loraScale: f32 }',
    ...bindings(shape),
    `@compute @workgroup_size(${lanes})`,
    `fn main(@builtin(workgroup_id) wg: vec3u, @builtin(${broadcast ? 'subgroup_invocation_id' : 'local_invocation_index'}) lane: u32) {`,
    `  let row0 = wg.y * ${shape.rows}u;`,
    `  let col0 = wg.x * ${lanes * shape.cols}u + lane;`,
    form === 'nt' ? nt(shape) : form === 'nn' ? nn(shape) : tn(shape),
    '}',
  ].join('\n');
}

/** Buffers in the order in which `productBindings` of the caller lists them. */
function bindings(shape: ProductShape): string[] {
  const vector = shape.vector === 4 ? 'vec4f' : 'f32';
  const right = shape.half ? 'vec2u' : vector;
  const left = shape.form === 'tn' ? 'f32' : vector;
  const result = shape.form === 'nt' ? 'f32' : vector;
  const list = [`left: array<${left}>`, `right: array<${right}>`];
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
function leftRows(shape: ProductShape, at: (row: string) => string, limit: string): string[] {
  const { rows, broadcast } = shape;
  const clamp = (row: string) => `min(${row}, ${limit} - 1u)`;
  if (!broadcast) return range(rows).map((i) => `let a_${i} = ${at(clamp(`row0 + ${i}u`))};`);
  const loads = range(Math.ceil(rows / broadcast)).map(
    (l) => `let own_${l} = ${at(clamp(`row0 + ${l * broadcast}u + lane % ${Math.min(rows, broadcast)}u`))};`,
  );
  const shares = range(rows).map(
    (i) => `let a_${i} = subgroupBroadcast(own_${Math.floor(i / broadcast)}, ${i % broadcast}u);`,
  );
  return [...loads, ...shares];
}

const unpack = (word: string) => `vec4f(unpack2x16float((${word}).x), unpack2x16float((${word}).y))`;

function nt(shape: ProductShape): string {
  const { rows, cols, vector, half, lora } = shape;
  const lanes = lanesOf(shape);
  const steps = vector === 4 ? 'shape.k / 4u' : 'shape.k';
  const fma = (c: string, a: string, b: string) =>
    vector === 4
      ? `${c} = fma(${a}.x, ${b}.x, fma(${a}.y, ${b}.y, fma(${a}.z, ${b}.z, fma(${a}.w, ${b}.w, ${c}))));`
      : `${c} = fma(${a}, ${b}, ${c});`;
  const body = [
    ...range(cols).map((j) => `let col_${j} = min(col0 + ${j * lanes}u, shape.n - 1u);`),
    ...range(rows).flatMap((i) => range(cols).map((j) => `var c_${i}_${j} = 0.0;`)),
    `let steps = ${steps};`,
    'for (var s = 0u; s < steps; s++) {',
    ...leftRows(shape, (row) => `left[${row} * steps + s]`, 'shape.m'),
    ...range(cols).map((j) => {
      const word = `right[col_${j} * steps + s]`;
      return `let b_${j} = ${half ? unpack(word) : word};`;
    }),
    ...range(rows).flatMap((i) => range(cols).map((j) => fma(`c_${i}_${j}`, `a_${i}`, `b_${j}`))),
    '}',
    ...range(rows).flatMap((i) => range(cols).map((j) => `c_${i}_${j} *= shape.scale;`)),
  ];
  if (lora)
    body.push(
      'for (var s = 0u; s < shape.rank; s++) {',
      ...leftRows(shape, (row) => `low[${row} * shape.rank + s]`, 'shape.m'),
      ...range(cols).map((j) => `let b_${j} = shape.loraScale * up[col_${j} * shape.rank + s];`),
      ...range(rows).flatMap((i) =>
        range(cols).map((j) => `c_${i}_${j} = fma(a_${i}, b_${j}, c_${i}_${j});`),
      ),
      '}',
    );
  for (const i of range(rows)) {
    body.push(`if (row0 + ${i}u < shape.m) {`);
    for (const j of range(cols)) {
      const at = `(row0 + ${i}u) * shape.n + col0 + ${j * lanes}u`;
      const sum = [`c_${i}_${j}`];
      if (shape.bias) sum.push(`bias[col_${j}]`);
      if (shape.add) sum.push(`added[${at}]`);
      body.push(`  if (col0 + ${j * lanes}u < shape.n) { result[${at}] = ${sum.join(' + ')}; }`);
    }
    body.push('}');
  }
  return body.join('\n');
}

function nn(shape: ProductShape): string {
  const { rows, cols, vector, half, lora } = shape;
  const lanes = lanesOf(shape);
  const width = vector === 4 ? 'shape.k / 4u' : 'shape.k';
  const parts = vector === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  const zero = vector === 4 ? 'vec4f()' : '0.0';
  const addTo = (i: number, j: number, a: string) =>
    vector === 4
      ? `c_${i}_${j} = fma(vec4f(${a}), b_${j}, c_${i}_${j});`
      : `c_${i}_${j} = fma(${a}, b_${j}, c_${i}_${j});`;
  const body = [
    `let width = ${width};`,
    ...range(cols).map((j) => `let col_${j} = min(col0 + ${j * lanes}u, width - 1u);`),
    ...range(rows).flatMap((i) => range(cols).map((j) => `var c_${i}_${j} = ${zero};`)),
    // n is a multiple of `vector` here, so dy is read in vectors too
    `let steps = shape.n / ${vector}u;`,
    'for (var s = 0u; s < steps; s++) {',
    ...leftRows(shape, (row) => `left[${row} * steps + s]`, 'shape.m'),
  ];
  parts.forEach((part, index) => {
    body.push('{');
    for (const j of range(cols)) {
      const word = `right[(s * ${vector}u + ${index}u) * width + col_${j}]`;
      body.push(`let b_${j} = ${half ? unpack(word) : word};`);
    }
    body.push(...range(rows).flatMap((i) => range(cols).map((j) => addTo(i, j, `a_${i}${part}`))), '}');
  });
  body.push('}', ...range(rows).flatMap((i) => range(cols).map((j) => `c_${i}_${j} *= shape.scale;`)));
  if (lora)
    body.push(
      'for (var s = 0u; s < shape.rank; s++) {',
      ...leftRows(shape, (row) => `low[${row} * shape.rank + s]`, 'shape.m'),
      ...range(cols).map((j) => `let b_${j} = shape.loraScale * up[s * width + col_${j}];`),
      ...range(rows).flatMap((i) => range(cols).map((j) => addTo(i, j, `a_${i}`))),
      '}',
    );
  body.push(...writeVectors(shape, 'shape.m'));
  return body.join('\n');
}

function tn(shape: ProductShape): string {
  const { rows, cols, vector } = shape;
  const lanes = lanesOf(shape);
  const zero = vector === 4 ? 'vec4f()' : '0.0';
  const left = (i: number) => (vector === 4 ? `vec4f(a_${i})` : `a_${i}`);
  return [
    `let width = shape.k / ${vector}u;`,
    ...range(cols).map((j) => `let col_${j} = min(col0 + ${j * lanes}u, width - 1u);`),
    ...range(rows).flatMap((i) => range(cols).map((j) => `var c_${i}_${j} = ${zero};`)),
    'for (var s = 0u; s < shape.m; s++) {',
    ...leftRows(shape, (row) => `left[s * shape.n + ${row}]`, 'shape.n'),
    ...range(cols).map((j) => `let b_${j} = right[s * width + col_${j}];`),
    ...range(rows).flatMap((i) =>
      range(cols).map((j) => `c_${i}_${j} = fma(${left(i)}, b_${j}, c_${i}_${j});`),
    ),
    '}',
    ...range(rows).flatMap((i) => range(cols).map((j) => `c_${i}_${j} *= shape.scale;`)),
    ...writeVectors(shape, 'shape.n'),
  ].join('\n');
}

function writeVectors(shape: ProductShape, limit: string): string[] {
  const lanes = lanesOf(shape);
  return range(shape.rows).flatMap((i) => [
    `if (row0 + ${i}u < ${limit}) {`,
    ...range(shape.cols).map((j) => {
      const at = `(row0 + ${i}u) * width + col0 + ${j * lanes}u`;
      const value = shape.add ? `c_${i}_${j} + added[${at}]` : `c_${i}_${j}`;
      return `  if (col0 + ${j * lanes}u < width) { result[${at}] = ${value}; }`;
    }),
    '}',
  ]);
}
