/**
 * What every design of a product shares: the three forms, what is folded into them, and the buffers they bind.
 *
 *   nt   y [m, n]  = Σk x [m, k] · w [n, k]      forward
 *   nn   dx [m, k] = Σn dy [m, n] · w [n, k]     backward through a weight
 *   tn   g [n, k]  = Σm p [m, n] · q [m, k]      gradient of a weight
 */
import type { WeightFormat } from '../../protocol/weightFormats';
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
  /** Adds to what is in the result already: the later parts of a weight in nn. */
  accumulate: boolean;
  /** tn: the result lies as [k, n]. */
  flip: boolean;
}

export const rightOf = (shape: ProductShape) => rightForm(shape.format, shape.vector === 4);

export const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/**
 * Struct and buffers, in the order in which product.ts binds them. m, n, k as above, n being that of this part of the weight, which
 * begins at row n0 of `all`; rank of the low-rank part; scale on the product, loraScale on the low-rank part; tn: a group
 * adds up `chunk` of the m rows.
 */
export function operands(shape: ProductShape): string[] {
  const vector = shape.vector === 4 ? 'vec4f' : 'f32';
  const right = rightOf(shape);
  const left = shape.form === 'tn' ? 'f32' : vector;
  const result = shape.form === 'nt' || shape.flip ? 'f32' : vector;
  const list = [`left: array<${left}>`, `right: array<${right.word}>`];
  if (right.wordsPerBlock > 0) list.push('scales: array<u32>');
  if (shape.lora) list.push('low: array<f32>', `up: array<${shape.form === 'nt' ? 'f32' : vector}>`);
  if (shape.bias) list.push('bias: array<f32>');
  if (shape.add) list.push(`added: array<${result}>`);
  const at = list.length;
  return [
    'struct Shape { m: u32, n: u32, k: u32, rank: u32, scale: f32, loraScale: f32, n0: u32, all: u32, chunk: u32 }',
    ...list.map((text, index) => `@group(0) @binding(${index}) var<storage, read> ${text};`),
    `@group(0) @binding(${at}) var<storage, read_write> result: array<${result}>;`,
    `@group(0) @binding(${at + 1}) var<uniform> shape: Shape;`,
    right.functions,
  ];
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
  if (shape.bias) terms.push(`bias[shape.n0 + ${col}]`);
  if (shape.add) terms.push(`added[${at}]`);
  if (shape.accumulate) terms.push(`result[${at}]`);
  return terms;
}
