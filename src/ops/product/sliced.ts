/**
 * tn for graphics cards, where one side is an adapter's rank: the invocations of a workgroup share the rows that are added up, each
 * keeping ROWS × one word of columns in registers, and are added up in workgroup memory. One dispatch, no sums to be put
 * together afterwards, and always in the same order.
 */
import { extras, operands, ownShape, range, type ProductShape } from './operands';

export interface Sliced {
  design: 'sliced';
  /** Rows of the result; a multiple of 4. */
  rows: number;
  /** Words of columns of a workgroup. */
  cols: number;
  /** Invocations that share the rows of a word; a multiple of 4. */
  slices: number;
}

type Tile = ProductShape & Sliced;

/** Rows of the result that are added up at once: what workgroup memory holds of all slices. */
const TOGETHER = 4;

export function slicedGroups({ rows, cols, vector }: Tile, n: number, k: number): [number, number] {
  return [Math.ceil(n / rows), Math.ceil(k / (cols * vector))];
}

export function slicedSource(tile: Tile): string {
  const { rows, cols, slices, vector } = tile;
  if (tile.form !== 'tn') throw new Error('This design makes gradients of weights.');
  const word = vector === 4 ? 'vec4f' : 'f32';
  return [
    ...operands(tile),
    `var<workgroup> sums: array<${word}, ${TOGETHER * cols * slices}>;`,
    `@compute @workgroup_size(${cols * slices})`,
    'fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) t: u32) {',
    ...ownShape(tile),
    `let row0 = wg.x * ${rows}u;`,
    `let col0 = wg.y * ${cols}u;`,
    `if (row0 >= shape.n || col0 * ${vector}u >= shape.k) { return; }`,
    `let slice = t / ${cols}u;`,
    `let width = shape.k / ${vector}u;`,
    `let col = min(col0 + t % ${cols}u, width - 1u);`,
    ...range(rows).map((i) => `let row_${i} = shape.left0 + min(row0 + ${i}u, shape.n - 1u);`),
    ...range(rows).map((i) => `var c_${i} = ${word}();`),
    `for (var s = slice; s < shape.m; s += ${slices}u) {`,
    `let b = right[(s * shape.rightRow + shape.right0) / ${vector}u + col];`,
    ...range(rows).map((i) => `c_${i} = fma(${word}(left[s * shape.leftRow + row_${i}]), b, c_${i});`),
    '}',
    ...range(rows / TOGETHER).flatMap((part) => addUp(tile, word, part * TOGETHER)),
    '}',
  ].join('\n');
}

/** Rows `first` … of the result, over the slices: several invocations share a sum, then one adds theirs. */
function addUp(tile: Tile, word: string, first: number): string[] {
  const { cols, slices } = tile;
  const cells = TOGETHER * cols;
  const sharers = slices / TOGETHER;
  const at = (slice: string) => `sums[(i * ${slices}u + ${slice}) * ${cols}u + c]`;
  return [
    '{',
    'workgroupBarrier();',
    ...range(TOGETHER).map(
      (i) => `sums[(${i * slices}u + slice) * ${cols}u + t % ${cols}u] = c_${first + i};`,
    ),
    'workgroupBarrier();',
    `let i = (t % ${cells}u) / ${cols}u;`,
    `let c = t % ${cols}u;`,
    `let share = t / ${cells}u;`,
    `var sum = ${word}();`,
    `for (var l = 0u; l < ${TOGETHER}u; l++) { sum += ${at(`share * ${TOGETHER}u + l`)}; }`,
    'workgroupBarrier();',
    `${at('share')} = sum;`,
    'workgroupBarrier();',
    `let row = row0 + ${first}u + i;`,
    'if (share == 0u && row < shape.n && col0 + c < width) {',
    `sum = ${word}();`,
    `for (var l = 0u; l < ${sharers}u; l++) { sum += ${at('l')}; }`,
    'sum *= shape.scale;',
    ...write(tile),
    '}',
    '}',
  ];
}

function write(tile: Tile): string[] {
  const { vector, flip } = tile;
  if (!flip) {
    const at = `(shape.result0 + row * shape.resultRow) / ${vector}u + col0 + c`;
    return [`let at = ${at};`, `result[at] = ${['sum', ...extras(tile, 'at', '')].join(' + ')};`];
  }
  const parts = vector === 4 ? ['.x', '.y', '.z', '.w'] : [''];
  return parts.flatMap((part, index) => [
    '{',
    `let at = shape.result0 + ((col0 + c) * ${vector}u + ${index}u) * shape.resultRow + row;`,
    `result[at] = ${[`sum${part}`, ...extras(tile, 'at', '')].join(' + ')};`,
    '}',
  ]);
}
