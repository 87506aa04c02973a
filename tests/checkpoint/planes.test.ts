/** Every weight format on the processor: exact where it claims to be, and never further off than half a step of its scale. */
import { describe, expect, it } from 'vitest';
import { decode, encode, NF4 } from '../../src/checkpoint/planes';
import { planeWords, usableFormat, weightBytes } from '../../src/protocol/weightFormats';
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

  // half a step: q8 absmax/127/2, q4 (max−min)/15/2, nf4 the widest gap 0.30 of absmax / 2; f16 rounding of the scale on top
  it.each([
    ['q8', 2 / 254],
    ['q4', 4 / 30],
    ['nf4', 0.31],
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

  it('an odd number of blocks fills half a word', () => {
    const values = filled(96);
    expect(encode(values, 'q8').map((plane) => plane.length)).toEqual(planeWords('q8', 96));
  });
});

describe('sizes', () => {
  it('a side that does not suit the blocks falls to f16, then to f32', () => {
    expect(usableFormat('nf4', 64, 96)).toBe('f16');
    expect(usableFormat('q4', 64, 96)).toBe('q4');
    expect(usableFormat('q4', 63, 96)).toBe('f32');
  });

  it('bytes a weight: 4, 2, 1.0625, 0.625, 0.53125', () => {
    const bytes = (['f32', 'f16', 'q8', 'q4', 'nf4'] as const).map((f) => weightBytes(f, 128, 128) / 16384);
    expect(bytes).toEqual([4, 2, 1.0625, 0.625, 0.53125]);
  });
});
