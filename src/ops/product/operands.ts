/**
 * What every design of a product shares: the three forms, what is folded into them, and the buffers they bind.
 *
 *   nt   y [m, n]  = Σk x [m, k] · w [n, k]      forward
 *   nn   dx [m, k] = Σn dy [m, n] · w [n, k]     backward through a weight
 *   tn   g [n, k]  = Σm p [m, n] · q [m, k]      gradient of a weight
 */
import gatedCode from '../../../shaders/shared/gated.wgsl?raw';
import type { WeightFormat } from '../../protocol/weightFormats';
import type { Activation } from '../glu';
import { rightForm } from './right';

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
  /** Adds to what is in the result already: the later parts of a weight in nn, a gradient in tn. */
  accumulate: boolean;
  /** tn: the result lies as [k, n]. */
  flip: boolean;
  /** nt with a low-rank part: how many segments (see ops/segments.ts) the columns fall into. */
  segments: number;
  /**
   * nt without `add`: the columns are gates and, after them, as many ups; the result [m, n / 2] is act(gate) · up. Designs that keep sums
   * in an even number of columns can: half of them are gates, the other half the ups that go with them.
   */
  gate: Activation | null;
  /** nn and tn: products of one dispatch, each with sizes and places of its own. */
  batches: number;
}

/** Nothing folded in, one product. */
export const PLAIN = {
  lora: false,
  bias: false,
  add: false,
  accumulate: false,
  flip: false,
  segments: 1,
  gate: null,
  batches: 1,
};

/** `narrow`: w is read number by number though `vector` is 4 (registers/tile.ts). */
export const rightOf = (shape: ProductShape & { narrow?: boolean }) =>
  rightForm(shape.format, shape.vector === 4 && !shape.narrow);

export const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/**
 * m, n, k as above, n being that of this part of the weight; rank of the low-rank part, of all segments together; scale on the
 * product, loraScale on the low-rank part. `…Row` is how far apart the rows of a matrix lie, `…0` where it begins, in numbers. nt: the
 * product is over `chunk` of the k, from `left0` on. Where groups share the contraction (tiled.ts), each takes `chunk` of its steps, and
 * its sums lie `part` numbers after those of the group before it. `none` is 0.
 */
const SHAPE =
  'struct Shape { m: u32, n: u32, k: u32, rank: u32, scale: f32, loraScale: f32, chunk: u32, part: u32, ' +
  'leftRow: u32, left0: u32, rightRow: u32, right0: u32, resultRow: u32, result0: u32, none: u32, pad0: u32';

/** Struct and buffers, in the order in which product.ts binds them. `word`: what one load of w brings, where it is not the usual. */
export function operands(shape: ProductShape & { narrow?: boolean }, word = rightOf(shape).word): string[] {
  const vector = shape.vector === 4 ? 'vec4f' : 'f32';
  const right = rightOf(shape);
  const left = shape.form === 'tn' ? 'f32' : vector;
  const result = shape.form === 'nt' || shape.flip || shape.narrow ? 'f32' : vector;
  const list = [`left: array<${left}>`, `right: array<${word}>`];
  if (right.wordsPerBlock > 0) list.push('scales: array<u32>');
  if (shape.lora) list.push('low: array<f32>', `up: array<${shape.form === 'nt' ? 'f32' : vector}>`);
  if (shape.bias) list.push('bias: array<f32>');
  if (shape.add) list.push(`added: array<${result}>`);
  const at = list.length;
  const { segments, batches } = shape;
  return [
    segments > 1 ? SEGMENT : '',
    `${SHAPE}${segments > 1 ? `, segments: array<Segment, ${segments}>` : ''} }`,
    ...list.map((text, index) => `@group(0) @binding(${index}) var<storage, read> ${text};`),
    `@group(0) @binding(${at}) var<storage, read_write> result: array<${result}>;`,
    batches > 1
      ? `@group(0) @binding(${at + 1}) var<uniform> shapes: array<Shape, ${batches}>;`
      : `@group(0) @binding(${at + 1}) var<uniform> shape: Shape;`,
    segments > 1 ? segmentAt(segments) : '',
    shape.gate ? `alias Numbers = f32;\nconst GELU = ${shape.gate === 'gelu_tanh'};\n${gatedCode}` : '',
    right.functions,
  ];
}

/** Of `cols` columns that an invocation keeps sums of, those that lie side by side: all, or the gates, whose ups are as many. */
export const sideBySide = ({ gate }: ProductShape, cols: number): number => (gate ? cols / 2 : cols);

/** nt: columns of the result. An up is this many columns of w after its gate. */
export const resultColumns = ({ gate }: ProductShape): string => (gate ? 'shape.n / 2u' : 'shape.n');

/** The first line of main: which product of the dispatch this is. */
export function ownShape({ batches }: ProductShape): string[] {
  return batches === 1 ? [] : ['let shape = shapes[wg.z];'];
}

/** Columns up to `end` of the result; `up` is where row 0 of the weight would lie in the block of B's. */
const SEGMENT =
  'struct Segment { end: u32, low: u32, rank: u32, up: u32, scale: f32, pad0: u32, pad1: u32, pad2: u32 }';

const segmentAt = (segments: number) =>
  [
    'fn segmentAt(col: u32) -> u32 {',
    'var index = 0u;',
    ...range(segments - 1).map((i) => `if (col >= shape.segments[${i}].end) { index = ${i + 1}u; }`),
    'return index;',
    '}',
  ].join('\n');

/**
 * nt: the steps of the low-rank part that columns `from` … `to` of a tile take (`begin`, `end`), and for each of the `columns`
 * of an invocation an expression for its number of B at step s. Columns of one tile may lie in different segments: a step that is not
 * a column's own adds nothing to it.
 */
export function lowRankColumns(
  { segments }: ProductShape,
  columns: string[],
  from: string,
  to: string,
): { head: string[]; value: (j: number) => string } {
  if (segments === 1)
    return {
      head: [
        'let begin = 0u;',
        'let end = shape.rank;',
        ...columns.map((col, j) => `let up_${j} = (shape.result0 + ${col}) * shape.rank;`),
      ],
      value: (j) => `shape.loraScale * up[up_${j} + s]`,
    };
  return {
    head: [
      `let begin = shape.segments[segmentAt(shape.result0 + min(${from}, shape.n - 1u))].low;`,
      `let last = segmentAt(shape.result0 + min(${to}, shape.n - 1u));`,
      'let end = shape.segments[last].low + shape.segments[last].rank;',
      ...columns.flatMap((col, j) => [
        `let seg_${j} = segmentAt(shape.result0 + ${col});`,
        `let low_${j} = shape.segments[seg_${j}].low;`,
        `let rank_${j} = shape.segments[seg_${j}].rank;`,
        `let up_${j} = shape.segments[seg_${j}].up + (shape.result0 + ${col}) * rank_${j};`,
        `let scale_of_${j} = shape.segments[seg_${j}].scale;`,
      ]),
    ],
    value: (j) => `select(0.0, scale_of_${j} * up[up_${j} + s - low_${j}], s - low_${j} < rank_${j})`,
  };
}

/** fma over the four parts of two vectors; a plain fma for numbers. */
export function dotInto(sum: string, a: string, b: string, vector: 1 | 4): string {
  if (vector === 1) return `${sum} = fma(${a}, ${b}, ${sum});`;
  const inner = ['w', 'z', 'y', 'x'].reduce((text, part) => `fma(${a}.${part}, ${b}.${part}, ${text})`, sum);
  return `${sum} = ${inner};`;
}

/** What is added to element `at` (column `col`, in vectors for nn) of the result besides the product. */
export function extras(shape: ProductShape, at: string, col: string): string[] {
  const terms: string[] = [];
  if (shape.bias) terms.push(`bias[shape.result0 + ${col}]`);
  if (shape.add) terms.push(`added[${at}]`);
  if (shape.accumulate) terms.push(`result[${at}]`);
  return terms;
}
