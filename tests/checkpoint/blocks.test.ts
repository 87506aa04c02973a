/**
 * Every encoding as numbers, and as planes. The blocks of fixtures/blocks/ggml.json are random bytes with the numbers ggml's own
 * dequantize_row_* makes of them (libggml of node-llama-cpp 3.21.1); MLX's are worked out by hand.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CheckpointTensor, Encoding } from '../../src/checkpoint/checkpoint';
import { decodeRows } from '../../src/checkpoint/decodeRows';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { joinPairs } from '../../src/checkpoint/gguf/ropeRows';
import { float32ToFloat16Bits } from '../../src/checkpoint/halfFloat';
import { decode, encode } from '../../src/checkpoint/planes';
import { planesOf } from '../../src/checkpoint/planesOf';
import { BLOCKS, rangesOfRows, readRows, type RowBytes } from '../../src/checkpoint/rows';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import { float32ToBfloat16Bits } from './bfloat16';

const golden = JSON.parse(readFileSync('tests/fixtures/blocks/ggml.json', 'utf8')) as Record<
  string,
  { bytes: string; values: string }
>;
const GGML = Object.keys(golden) as Encoding[];
const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const nowhere = fileInMemory('x', new Uint8Array(0));

function tensorOf(
  encoding: Encoding,
  shape: number[],
  more: Partial<CheckpointTensor> = {},
): CheckpointTensor {
  return { name: 'w', shape, encoding, at: { file: nowhere, begin: 0, end: 0 }, ...more };
}

function goldenOf(encoding: Encoding) {
  const { bytes, values } = golden[encoding] ?? { bytes: '', values: '' };
  return { bytes: fromHex(bytes), values: new Float32Array(fromHex(values).buffer) };
}

/** The golden blocks four times over: a matrix of four rows, so that every device format may take it. */
function matrixOf(encoding: Encoding): { tensor: CheckpointTensor; chunk: RowBytes } {
  const { bytes, values } = goldenOf(encoding);
  const four = new Uint8Array(4 * bytes.length);
  for (let row = 0; row < 4; row++) four.set(bytes, row * bytes.length);
  return { tensor: tensorOf(encoding, [4, values.length]), chunk: { rows: 4, bytes: four } };
}

function relativeError(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const most = Math.max(...expected.map(Math.abs));
  return Math.max(...found.map((value, i) => Math.abs(value - (expected[i] ?? NaN)))) / most;
}

describe('decodeRows', () => {
  it.each(GGML)('%s gives what ggml gives', (encoding) => {
    const { bytes, values } = goldenOf(encoding);
    expect(values.some((value) => value !== 0)).toBe(true);
    const found = decodeRows(tensorOf(encoding, [1, values.length]), { rows: 1, bytes });
    // ggml may fuse a product and a sum: one rounding less
    expect(relativeError(found, values)).toBeLessThan(1.5e-7);
  });

  it('reads F32, F16 and BF16', () => {
    const values = Float32Array.of(1, -2.5, 0.15625, 96);
    const asBytes = (array: Float32Array | Uint16Array) => new Uint8Array(array.buffer);
    const of = (encoding: Encoding, bytes: Uint8Array) =>
      decodeRows(tensorOf(encoding, [4]), { rows: 1, bytes });
    expect(of('F32', asBytes(values.slice()))).toEqual(values);
    expect(of('F16', asBytes(float32ToFloat16Bits(values)))).toEqual(values);
    expect(of('BF16', asBytes(float32ToBfloat16Bits(values)))).toEqual(values);
  });

  it('reads MLX’s 4 and 8 bits: scale · code + bias, low bits first', () => {
    // One row of 64, two groups of 32. Word 0x76543210 holds the codes 0, 1, … 7.
    const words = new Uint32Array(8).fill(0x76543210);
    const affine = { file: nowhere, begin: 0, end: 0 };
    const tensor = (encoding: Encoding, width: number) =>
      tensorOf(encoding, [1, width], {
        affine: { scales: affine, biases: affine, dtype: 'F32', group: 32 },
      });
    const scales = new Uint8Array(Float32Array.of(0.5, 2).buffer);
    const biases = new Uint8Array(Float32Array.of(-1, 10).buffer);
    const four = decodeRows(tensor('MLX4', 64), {
      rows: 1,
      bytes: new Uint8Array(words.buffer),
      affine: { scales, biases },
    });
    // 0.5 · 3 − 1 = 0.5; in the second group 2 · 3 + 10 = 16
    expect([four[0], four[3], four[7], four[8]]).toEqual([-1, 0.5, 2.5, -1]);
    expect([four[32], four[35], four[63]]).toEqual([10, 16, 24]);
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => 4 * i);
    const eight = decodeRows(tensor('MLX8', 64), { rows: 1, bytes, affine: { scales, biases } });
    // code 124 in the first group, 252 in the second: unsigned
    expect([eight[31], eight[63]]).toEqual([61, 514]);
  });

  it('refuses a chunk that is not whole rows', () => {
    expect(() => decodeRows(tensorOf('Q8_0', [2, 32]), { rows: 2, bytes: new Uint8Array(67) })).toThrow(
      /2 rows of w \(Q8_0, width 32\) have 67 bytes; 68 are needed/,
    );
  });
});

describe('planesOf', () => {
  const EXACT: [Encoding, WeightFormat][] = [
    ['Q8_0', 'q8'],
    ['Q4_0', 'q4'],
    ['Q4_1', 'q4'],
  ];
  it.each(EXACT)('%s is taken over into %s bit for bit', (encoding, format) => {
    const { tensor, chunk } = matrixOf(encoding);
    const expected = decodeRows(tensor, chunk);
    const { planes, format: taken } = planesOf(tensor, chunk, format);
    expect(taken).toBe(format);
    expect(decode(planes, format, expected.length)).toEqual(expected);
    // rounding anew would not give the same codes
    expect(decode(encode(expected, 'nf4'), 'nf4', expected.length)).not.toEqual(expected);
  });

  it('Q4_K becomes q4 with each scale and minimum rounded to f16 once', () => {
    const { tensor, chunk } = matrixOf('Q4_K');
    const expected = decodeRows(tensor, chunk);
    const { planes } = planesOf(tensor, chunk, 'q4');
    const found = decode(planes, 'q4', expected.length);
    const again = decode(encode(expected, 'q4'), 'q4', expected.length);
    for (let block = 0; block < expected.length / 32; block++) {
      const part = (values: Float32Array) => values.subarray(32 * block, 32 * block + 32);
      // |w| ≤ |scale| · 15 + |minimum|, each off by 2^-11 of itself at most
      const [low, high] = [Math.min(...part(expected)), Math.max(...part(expected))];
      const bound = 2 ** -11 * (high - low + 2 * Math.max(Math.abs(low), Math.abs(high))) * 2;
      part(found).forEach((value, i) =>
        expect(Math.abs(value - (part(expected)[i] ?? NaN))).toBeLessThanOrEqual(bound),
      );
    }
    expect(relativeError(found, expected)).toBeLessThan(relativeError(again, expected));
  });

  it('MLX’s 4 bits become q4 exactly where scale and bias are f16, repeated over their group', () => {
    const codes = Uint8Array.from({ length: 4 * 64 }, (_, i) => (37 * i) & 255);
    const range = { file: nowhere, begin: 0, end: 0 };
    const halves = (...values: number[]) =>
      new Uint8Array(float32ToFloat16Bits(Float32Array.of(...values)).buffer);
    const tensor = tensorOf('MLX4', [4, 128], {
      affine: { scales: range, biases: range, dtype: 'F16', group: 64 },
    });
    const affine = {
      scales: halves(0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08),
      biases: halves(-0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7, -0.8),
    };
    const chunk = { rows: 4, bytes: codes, affine };
    const { planes } = planesOf(tensor, chunk, 'q4');
    expect(decode(planes, 'q4', 512)).toEqual(decodeRows(tensor, chunk));
  });

  it('anything else is decoded and rounded as the format’s own definition says', () => {
    for (const encoding of ['Q6_K', 'Q5_K', 'Q4_K', 'Q8_0'] as const) {
      const { tensor, chunk } = matrixOf(encoding);
      for (const format of ['f32', 'f16', 'nf4'] as const)
        if (tensor.shape[1] !== 96 || format !== 'nf4')
          expect(planesOf(tensor, chunk, format).planes).toEqual(encode(decodeRows(tensor, chunk), format));
    }
  });

  it('falls to f16 and f32 where the sides do not suit the blocks, as the weight builder does', () => {
    const values = Float32Array.from({ length: 4 * 6 }, (_, i) => i);
    const bytes = (count: number) => new Uint8Array(values.slice(0, count).buffer);
    expect(planesOf(tensorOf('F32', [4, 6]), { rows: 4, bytes: bytes(24) }, 'q4').format).toBe('f32');
    expect(planesOf(tensorOf('F32', [4, 4]), { rows: 4, bytes: bytes(16) }, 'q4').format).toBe('f16');
  });

  it('counts what f16 cannot hold: 1e30 and −70000 are saturated, 1e-9 is flushed', () => {
    const values = Float32Array.of(1e30, -70000, 1e-9, 1, 65504, 6e-8, 0, -2);
    const half = float32ToBfloat16Bits(Float32Array.from({ length: 16 }, (_, i) => values[i] ?? 3));
    const tensor = tensorOf('BF16', [4, 4]);
    const { planes, losses } = planesOf(tensor, { rows: 4, bytes: new Uint8Array(half.buffer) }, 'f16');
    // bf16 rounds 65504 up to 65536, so three are saturated
    expect(losses).toEqual({ saturated: 3, flushed: 1, notFinite: 0 });
    expect([...decode(planes, 'f16', 4)]).toEqual([65504, -65504, 0, 1]);
  });

  it('counts what is no number in the file, and never writes an infinity', () => {
    const values = Float32Array.from({ length: 128 }, (_, i) => [NaN, Infinity, 1e38, -1e38][i] ?? 0.5);
    for (const format of ['f16', 'q8', 'q4'] as const) {
      const chunk = { rows: 4, bytes: new Uint8Array(values.slice().buffer) };
      const { planes, losses } = planesOf(tensorOf('F32', [4, 32]), chunk, format);
      expect(losses.notFinite).toBe(2);
      if (format !== 'f16') expect(decode(planes, format, 128).every(Number.isFinite)).toBe(true);
    }
  });
});

describe('rows in the rotary order of GGUF’s llama', () => {
  const heads = 2;
  const values = Float32Array.from({ length: 8 * 32 }, (_, i) => Math.sin(i));
  const stored = joinPairs(values, 8, heads);
  it('come back in Hugging Face’s, whole or a head at a time, in numbers and in planes', async () => {
    const file = fileInMemory('x', new Uint8Array(stored.slice().buffer));
    const at = { file, begin: 0, end: file.size };
    const tensor: CheckpointTensor = { name: 'q', shape: [8, 32], encoding: 'F32', at, ropeHeads: heads };
    expect(stored).not.toEqual(values);
    expect(decodeRows(tensor, await readRows(tensor, 0, 8))).toEqual(values);
    const second = await readRows(tensor, 4, 4);
    expect(decodeRows(tensor, second)).toEqual(values.slice(4 * 32));
    expect(planesOf(tensor, second, 'q8').planes).toEqual(encode(values.slice(4 * 32), 'q8'));
    expect(() => rangesOfRows(tensor, 2, 2)).toThrow(/has 8, taken 4 at a time/);
  });
});

it('knows the size of every block', () => {
  for (const encoding of GGML) {
    const { bytes, values } = goldenOf(encoding);
    const { numbers, bytes: size } = BLOCKS[encoding];
    expect(bytes.length / size).toBe(values.length / numbers);
  }
});
