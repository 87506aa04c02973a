/**
 * How the words of a weight become numbers inside a product: WGSL for each form of protocol/weightFormats.ts, for both directions.
 * A word is what one load brings: 4 weights of f32 (vec4f), f16 (vec2u) and q8 (u32), 8 of q4, nf4 and nf4dq (u32), or a single
 * f32 where a side is not a multiple of 4.
 */
import sharedScaleCode from '../../../shaders/shared/sharedScale.wgsl?raw';
import type { WeightFormat } from '../../protocol/weightFormats';

export interface RightForm {
  /** WGSL type of a word. */
  word: string;
  /** Weights in a word. */
  width: 1 | 4 | 8;
  /** Words that share a scale; 0 where there are no scales. */
  wordsPerBlock: number;
  /** WGSL expressions for the vectors of a word (scalars where `width` is 1), given names of the word and its scale. */
  vectors(word: string, scale: string): string[];
  /** The same for one vector, whose number `v` in the word is known at run time only. */
  vectorAt(word: string, v: string, scale: string): string;
  /** Null where there are no scales. */
  packed: Packed | null;
  /** Scales that lie in one word of theirs. */
  scalesPerWord: 1 | 2 | 4;
  /** WGSL expression for the scale of block number `block`; empty where there are none. */
  scale(block: string): string;
  /** WGSL type of a scale. */
  scaleType: 'f32' | 'vec2f';
  /** Functions that the expressions call. */
  functions: string;
}

/** The weights of a block before its scale: w = factor · code, with an offset factor · code + offset. */
export interface Packed {
  /** Expressions for the codes of a word's vectors, each times 1 / `place`. */
  codes(word: string): string[];
  /** What the other operand is multiplied with, so that codes may stay where they lie in a word; null for 1. */
  place: string | null;
  factor(scale: string): string;
  offset: Offset | null;
}

/** What the offsets of a block add to its sum: `scale` times the `total` of the vectors of the other operand. */
interface Offset {
  total(vector: string): string;
  scale(scale: string): string;
}

const half = (block: string) => `unpack2x16float(scales[(${block}) >> 1u])[(${block}) & 1u]`;
const nibbles = (word: string) => `(vec4u(${word}) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)`;

const bytes = (word: string) =>
  `vec4f((vec4i(bitcast<i32>(${word})) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u))`;

/**
 * Bytes where they lie in a word, as signed numbers: the highest has its sign, the others 128 more than they are once that bit of theirs
 * is turned. Shifts, which are the other way to a sign, take SwiftShader half as long again.
 */
const OF_BYTES = {
  masks: 'vec4u(0xffu, 0xff00u, 0xff0000u, 0xff000000u)',
  places: 'vec4f(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625)',
};

const itself = (scale: string) => scale;

const none = {
  packed: null,
  wordsPerBlock: 0,
  scalesPerWord: 1,
  scale: () => '',
  scaleType: 'f32',
  functions: '',
} as const;
/** A word of one vector. */
const single = (vector: (word: string, scale: string) => string) => ({
  vectors: (word: string, scale: string) => [vector(word, scale)],
  vectorAt: (word: string, _: string, scale: string) => vector(word, scale),
});
const ends = (word: string) => [word, `(${word} >> 16u)`];
/** A word of eight nibbles: two vectors, the low one first. */
const double = (vector: (word: string, scale: string) => string) => ({
  vectors: (word: string, scale: string) => ends(word).map((end) => vector(end, scale)),
  vectorAt: (word: string, v: string, scale: string) => vector(`(${word} >> (16u * ${v}))`, scale),
});

// Selects and no table: an array indexed by data is spilled to memory by most compilers.
const NF4_FUNCTION = `
fn nf4(code: vec4u) -> vec4f {
  let b0 = (code & vec4u(1u)) != vec4u(0u);
  let b1 = (code & vec4u(2u)) != vec4u(0u);
  let b2 = (code & vec4u(4u)) != vec4u(0u);
  let b3 = (code & vec4u(8u)) != vec4u(0u);
  let p0 = select(vec4f(-1.0), vec4f(-0.6961928009986877), b0);
  let p1 = select(vec4f(-0.5250730514526367), vec4f(-0.39491748809814453), b0);
  let p2 = select(vec4f(-0.28444138169288635), vec4f(-0.18477343022823334), b0);
  let p3 = select(vec4f(-0.09105003625154495), vec4f(0.0), b0);
  let p4 = select(vec4f(0.07958029955625534), vec4f(0.16093020141124725), b0);
  let p5 = select(vec4f(0.24611230194568634), vec4f(0.33791524171829224), b0);
  let p6 = select(vec4f(0.44070982933044434), vec4f(0.5626170039176941), b0);
  let p7 = select(vec4f(0.7229568362236023), vec4f(1.0), b0);
  let low = select(select(p0, p1, b1), select(p2, p3, b1), b2);
  let high = select(select(p4, p5, b1), select(p6, p7, b1), b2);
  return select(low, high, b3);
}`;

const normalFloat = {
  packed: {
    codes: (word: string) => ends(word).map((end) => `nf4(${nibbles(end)})`),
    place: null,
    factor: itself,
    offset: null,
  },
  ...double((word, scale) => `nf4(${nibbles(word)}) * ${scale}`),
  word: 'u32',
  width: 8,
  wordsPerBlock: 8,
  scaleType: 'f32',
} as const;

const FORMS: Record<WeightFormat, RightForm> = {
  f32: { ...none, ...single((word) => word), word: 'vec4f', width: 4 },
  f16: {
    ...none,
    ...single((word) => `vec4f(unpack2x16float(${word}.x), unpack2x16float(${word}.y))`),
    word: 'vec2u',
    width: 4,
  },
  q8: {
    ...single((word, scale) => `${bytes(word)} * ${scale}`),
    packed: {
      codes: (word) => [`vec4f(bitcast<vec4i>(vec4u(${word} ^ 0x808080u) & ${OF_BYTES.masks}))`],
      place: OF_BYTES.places,
      factor: itself,
      offset: { total: (x) => `-128.0 * (${x}.x + ${x}.y + ${x}.z)`, scale: itself },
    },
    word: 'u32',
    width: 4,
    wordsPerBlock: 8,
    scalesPerWord: 2,
    scale: half,
    scaleType: 'f32',
    functions: '',
  },
  q4: {
    ...double((word, scale) => `fma(vec4f(${nibbles(word)}), vec4f(${scale}.x), vec4f(${scale}.y))`),
    packed: {
      codes: (word) => ends(word).map((end) => `vec4f(vec4u(${end}) & vec4u(0xfu, 0xf0u, 0xf00u, 0xf000u))`),
      place: 'vec4f(1.0, 0.0625, 0.00390625, 0.000244140625)',
      factor: (scale) => `${scale}.x`,
      offset: { total: (x) => `(${x}.x + ${x}.y) + (${x}.z + ${x}.w)`, scale: (scale) => `${scale}.y` },
    },
    word: 'u32',
    width: 8,
    wordsPerBlock: 4,
    scalesPerWord: 1,
    scale: (block) => `unpack2x16float(scales[${block}])`,
    scaleType: 'vec2f',
    functions: '',
  },
  nf4: { ...normalFloat, scalesPerWord: 2, scale: half, functions: NF4_FUNCTION },
  nf4dq: {
    ...normalFloat,
    scalesPerWord: 4,
    scale: (block) => `sharedScale(scales[(${block}) >> 2u], (${block}) & 3u)`,
    functions: NF4_FUNCTION + sharedScaleCode,
  },
};

/** `vectors` false: f32 read number by number. */
export function rightForm(format: WeightFormat, vectors: boolean): RightForm {
  if (vectors) return FORMS[format];
  if (format !== 'f32') throw new Error(`A ${format} weight needs sides that are multiples of 4.`);
  return { ...none, ...single((word) => word), word: 'f32', width: 1 };
}
