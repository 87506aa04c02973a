/**
 * 16-bit floats as bit patterns, both kinds, rounded to nearest, ties to even.
 * f16: 1 sign, 5 exponent, 10 fraction bits. bf16: the upper half of an f32.
 */
const F32_INFINITY = 0x7f800000;
/** 65520, halfway between the largest f16 and the next step: from here on f16 is infinite. */
const F16_OVERFLOW = 0x477ff000;
/** 2^-14, the smallest normal f16. */
const F16_NORMAL = 0x38800000;
/** 2^-25, halfway between zero and the smallest f16; the tie goes to zero. */
const F16_UNDERFLOW = 0x33000000;
/** Value of the last fraction bit at each exponent above 0. */
const POWERS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));

export function float32ToFloat16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = wordsOf(values);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = toHalf(words[i] ?? 0);
  return bits;
}

/** `values`: as many as `bits`, to be overwritten. */
export function float16BitsToFloat32(
  bits: Uint16Array,
  values = new Float32Array(bits.length),
): Float32Array<ArrayBuffer> {
  const words = wordsOf(values);
  for (let i = 0; i < words.length; i++) words[i] = fromHalf(bits[i] ?? 0);
  return values;
}

/** `values`: as many as `bits`, to be overwritten. */
export function bfloat16BitsToFloat32(
  bits: Uint16Array,
  values = new Float32Array(bits.length),
): Float32Array<ArrayBuffer> {
  const words = wordsOf(values);
  for (let i = 0; i < words.length; i++) words[i] = (bits[i] ?? 0) << 16;
  return values;
}

/** The two bytes at `at` as an f16 pattern. */
export function halfAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** The f16 at byte `at` as a number. */
export function float16At(bytes: Uint8Array, at: number): number {
  const bits = halfAt(bytes, at);
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * (POWERS[exponent] ?? 0);
}

function wordsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function toHalf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > F32_INFINITY) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= F16_OVERFLOW) return sign | 0x7c00;
  if (magnitude <= F16_UNDERFLOW) return sign;
  if (magnitude < F16_NORMAL) return sign | toSubnormal(magnitude);
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - (112 << 23)) >>> 13);
}

/** The fraction in units of 2^-24, the step of the smallest f16 numbers. */
function toSubnormal(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const lost = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return lost > half || (lost === half && (kept & 1) === 1) ? kept + 1 : kept;
}

function fromHalf(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return sign | F32_INFINITY | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // fraction · 2^-24 = 1.xxx · 2^(top - 24): shift the leading one out of the fraction.
  const top = 31 - Math.clz32(fraction);
  return sign | ((top + 103) << 23) | ((fraction << (23 - top)) & 0x7fffff);
}
