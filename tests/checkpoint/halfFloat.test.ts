import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bfloat16BitsToFloat32,
  float16BitsToFloat32,
  float32ToFloat16Bits,
} from '../../src/checkpoint/halfFloat';
import { float32ToBfloat16Bits } from './bfloat16';

const patterns = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

/** The value of an f16 by the definition of the format. */
function f16ByDefinition(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('f16', () => {
  it('reads all 65,536 patterns as the format defines them', () => {
    const wrong = [...float16BitsToFloat32(patterns)].filter(
      (value, bits) => !Object.is(value, f16ByDefinition(bits)),
    );
    expect(wrong).toEqual([]);
  });

  it('gives every pattern back; a NaN stays a NaN', () => {
    const again = float32ToFloat16Bits(float16BitsToFloat32(patterns));
    const isNaN = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 1023) !== 0;
    const wrong = [...patterns].filter((bits) => {
      const back = again[bits] ?? 0;
      return isNaN(bits) ? !isNaN(back) : back !== bits;
    });
    expect(wrong).toEqual([]);
  });

  it('rounds halfway points to the even neighbour and anything past them to the nearer one', () => {
    // For each two neighbours the middle is exact in f32.
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = f16ByDefinition(bits);
      const middle = (low + f16ByDefinition(bits + 1)) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const nudge = middle * 2 ** -23;
      const found = float32ToFloat16Bits(Float32Array.of(middle, middle - nudge, middle + nudge, -middle));
      const expected = [even, bits, bits + 1, even | 0x8000];
      if (expected.some((value, i) => found[i] !== value)) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('keeps 65519.99 finite and makes 65520 infinite', () => {
    expect([...float32ToFloat16Bits(Float32Array.of(65519.99, 65520, -65520, Infinity, 1e-8))]).toEqual([
      0x7bff, 0x7c00, 0xfc00, 0x7c00, 0,
    ]);
  });
});

describe('bf16', () => {
  it('is the upper half of an f32', () => {
    const words = new Uint32Array(bfloat16BitsToFloat32(patterns).buffer);
    expect([...words].every((word, bits) => word === bits * 65536)).toBe(true);
  });

  it('rounds to nearest, ties to even, and keeps a NaN', () => {
    const words = Uint32Array.of(0x3f808000, 0x3f818000, 0x3f808001, 0x3f807fff, 0x7f7fffff, 0x7f800001);
    expect([...float32ToBfloat16Bits(new Float32Array(words.buffer))]).toEqual([
      0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0x7fc0,
    ]);
  });

  it('is never further away than half a step', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-1e30), max: Math.fround(1e30) }), (value) => {
        const back = bfloat16BitsToFloat32(float32ToBfloat16Bits(Float32Array.of(value)))[0] ?? NaN;
        return Math.abs(back - value) <= Math.max(Math.abs(value) * 2 ** -8, 2 ** -133);
      }),
    );
  });
});
