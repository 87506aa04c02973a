/** Every weight format on the processor: exact where it claims to be, and never further off than half a step of its scale. */
import { describe, expect, it } from 'vitest';
import { NF4 } from '../../src/checkpoint/normalFloat';
import { decode, encode } from '../../src/checkpoint/planes';
import { planeWords, usableFormat, WEIGHT_FORMATS, weightBytes } from '../../src/protocol/weightFormats';
import { randomFrom } from '../../src/random';

const random = randomFrom(3);
const filled = (count: number) => Float32Array.from({ length: count }, () => 4 * random() - 2);

describe('planes', () => {
  it('f32 and f16 keep what they can hold, exactly', () => {
    const values = Float32Array.of(1, -2, 0.5, 65504, -0.000061035156, 3);
    expect([...decode(encode(values, 'f32'), 'f32', 6)]).toEqual([...values]);
    expect([...decode(encode(values, 'f16'), 'f16', 6)]).toEqual([...values]);
  });

  it('q8 keeps multiples of its scale: max 127 · 2⁻⁶ gives the scale 2⁻⁶', () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => (((i * 37) % 255) - 127) / 64);
    values[0] = 127 / 64;
    values[32] = -127 / 64;
    expect([...decode(encode(values, 'q8'), 'q8', 64)]).toEqual([...values]);
  });

  it('q4 keeps sixteen even steps from its offset', () => {
    const values = Float32Array.from({ length: 32 }, (_, i) => -3 + 0.25 * ((i * 5) % 16));
    expect([...decode(encode(values, 'q4'), 'q4', 32)]).toEqual([...values]);
  });

  it('nf4 keeps absmax times its sixteen values', () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => 1.5 * (NF4[(i * 7) % 16] ?? 0));
    expect([...decode(encode(values, 'nf4'), 'nf4', 64)]).toEqual([...values]);
  });

  it('nf4 takes the nearest of its sixteen values', () => {
    const values = filled(64 * 200).map((value, i) => (i % 64 === 0 ? 2 : value));
    const back = decode(encode(values, 'nf4'), 'nf4', values.length);
    values.forEach((value, i) => {
      const distances = [...NF4].map((one) => Math.abs(2 * one - value));
      expect(Math.abs((back[i] ?? NaN) - value)).toBe(Math.min(...distances));
    });
  });

  // 1.5 = 2^0 · (1 + 4/8) is e = 15 · 8 + 4 = 124; of it 63, 21, 42 and 0 parts are 1.5, 0.5, 1.0 and 0
  it('nf4dq keeps four absmax that are parts of one short float, in one word', () => {
    const absmax = [1.5, 0.5, 1, 0];
    const values = Float32Array.from(
      { length: 256 },
      (_, i) => (absmax[i >> 6] ?? NaN) * (NF4[(i * 7) % 16] ?? NaN),
    );
    const [codes, scales] = encode(values, 'nf4dq');
    expect([...(scales ?? [])]).toEqual([(124 << 24) | (42 << 12) | (21 << 6) | 63]);
    const back = decode(
      [codes ?? scales, scales].flatMap((plane) => plane ?? []),
      'nf4dq',
      256,
    );
    // 63 · f32(1/63) is no more than 2^-24 away from 1
    back.forEach((value, i) => expect(Math.abs(value - (values[i] ?? NaN))).toBeLessThanOrEqual(2e-7));
  });

  // the shared float is rounded up by an eighth of itself at most, a part is off by half of 1/63 of that: 1.125 / 126 < 0.9 % of the
  // largest of the four
  it('nf4dq’s absmax is within 0.9 % of the largest of its four, from 3e-5 to 65504', () => {
    for (const size of [3.1e-5, 1e-3, 0.07, 1, 300, 65504]) {
      const absmax = [1, 0.83, 0.4, 0.91].map((part) => Math.fround(size * part));
      // a block of its absmax alone decodes to it
      const values = Float32Array.from({ length: 256 }, (_, i) => absmax[i >> 6] ?? NaN);
      const back = decode(encode(values, 'nf4dq'), 'nf4dq', 256);
      back.forEach((value, i) =>
        expect(Math.abs(value - (values[i] ?? NaN))).toBeLessThanOrEqual(0.009 * size),
      );
      expect(back[64]).not.toBe(back[0]);
    }
  });

  it('nf4dq of numbers too small or too large for its float is zero or the largest, never an infinity', () => {
    const values = Float32Array.from({ length: 256 }, (_, i) => [1e-9, 1e30, -Infinity, NaN][i >> 6] ?? 0);
    const back = decode(encode(values, 'nf4dq'), 'nf4dq', 256);
    expect(back.every(Number.isFinite)).toBe(true);
    // 2^16 · 1.875
    expect(back[64]).toBeCloseTo(122_880, -1);
    expect(back[0]).toBe(0);
  });

  // half a step: q8 absmax/127/2, q4 (max−min)/15/2, nf4 the widest gap 0.30 of absmax / 2; f16 rounding of the scale on top
  it.each([
    ['q8', 2 / 254],
    ['q4', 4 / 30],
    ['nf4', 0.31],
    ['nf4dq', 0.31],
  ] as const)('%s is within half a step on 2,048 numbers up to ±2', (format, most) => {
    const values = filled(2048);
    const back = decode(encode(values, format), format, 2048);
    const errors = values.map((value, i) => Math.abs(value - (back[i] ?? NaN)));
    expect(Math.max(...errors)).toBeLessThan(1.02 * most);
    expect(Math.max(...errors)).toBeGreaterThan(most / 4);
  });

  it.each(['q8', 'q4', 'nf4'] as const)('%s holds blocks of one number, zero among them', (format) => {
    const values = new Float32Array(128).fill(127 / 128, 64);
    expect([...decode(encode(values, format), format, 128)]).toEqual([...values]);
  });

  it('blocks that do not fill a word of scales leave it unfinished', () => {
    const values = filled(96);
    expect(encode(values, 'q8').map((plane) => plane.length)).toEqual(planeWords('q8', 96));
    // an odd last row of 128: two blocks
    const row = filled(128);
    expect(encode(row, 'nf4dq').map((plane) => plane.length)).toEqual([16, 1]);
    expect(decode(encode(row, 'nf4dq'), 'nf4dq', 128)).toHaveLength(128);
  });
});

describe('sizes', () => {
  it('a side that does not suit the blocks falls to f16, then to f32', () => {
    expect(usableFormat('nf4', 64, 96)).toBe('f16');
    expect(usableFormat('nf4dq', 64, 576)).toBe('nf4');
    expect(usableFormat('nf4dq', 64, 96)).toBe('f16');
    expect(usableFormat('nf4dq', 64, 896)).toBe('nf4dq');
    expect(usableFormat('q4', 64, 96)).toBe('q4');
    expect(usableFormat('q4', 63, 96)).toBe('f32');
  });

  it('bytes a weight: 4, 2, 1.0625, 0.625, 0.53125, 0.515625', () => {
    const bytes = WEIGHT_FORMATS.map((format) => weightBytes(format, 128, 128) / 16384);
    expect(bytes).toEqual([4, 2, 1.0625, 0.625, 0.53125, 0.515625]);
  });
});
