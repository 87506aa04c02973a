/**
 * Numbers into the blocks of GGUF and the words of MLX, for tests: the plain rounding of ggml (ggml-quants.c, quantize_row_*_ref)
 * and of mlx.core.quantize. Each also says what number every code stands for, so that readers have something to be held against.
 */
import type { Encoding } from '../../src/checkpoint/checkpoint';
import {
  bfloat16BitsToFloat32,
  float16BitsToFloat32,
  float32ToFloat16Bits,
} from '../../src/checkpoint/halfFloat';
import { float32ToBfloat16Bits } from './bfloat16';

export interface Quantised {
  bytes: Uint8Array<ArrayBuffer>;
  /** The numbers that the bytes stand for. */
  values: Float32Array<ArrayBuffer>;
}

export type Plain = 'F32' | 'F16' | 'BF16';
export type Blocks = 'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1';

const half = (value: number): number =>
  float16BitsToFloat32(float32ToFloat16Bits(Float32Array.of(value)))[0] ?? NaN;
const halfBytes = (value: number) => new Uint8Array(float32ToFloat16Bits(Float32Array.of(value)).buffer);

/** Any encoding of whole blocks. */
export function quantise(values: Float32Array, encoding: Encoding): Quantised {
  if (encoding === 'F32' || encoding === 'F16' || encoding === 'BF16') return plain(values, encoding);
  if (!isBlocks(encoding)) throw new Error(`No test writes ${encoding}.`);
  const bytes: number[] = [];
  const out = new Float32Array(values.length);
  for (let at = 0; at < values.length; at += 32) {
    const block = quantiseBlock([...values.subarray(at, at + 32)], encoding);
    bytes.push(...block.bytes);
    out.set(block.values, at);
  }
  return { bytes: Uint8Array.from(bytes), values: out };
}

function isBlocks(encoding: Encoding): encoding is Blocks {
  return ['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1'].includes(encoding);
}

export function plain(values: Float32Array, encoding: Plain): Quantised {
  const own = values.slice();
  if (encoding === 'F32') return { bytes: new Uint8Array(own.buffer), values: own };
  const bits = encoding === 'F16' ? float32ToFloat16Bits(own) : float32ToBfloat16Bits(own);
  const back = encoding === 'F16' ? float16BitsToFloat32(bits) : bfloat16BitsToFloat32(bits);
  return { bytes: new Uint8Array(bits.buffer), values: back };
}

function quantiseBlock(block: number[], encoding: Blocks): { bytes: number[]; values: number[] } {
  const largest = block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  if (encoding === 'Q8_0') {
    const scale = Math.abs(largest) / 127;
    const codes = block.map((value) => (scale === 0 ? 0 : Math.round(value / scale)));
    return {
      bytes: [...halfBytes(scale), ...codes.map((code) => code & 255)],
      values: codes.map((code) => half(scale) * code),
    };
  }
  const levels = encoding.startsWith('Q4') ? 16 : 32;
  const hasMinimum = encoding.endsWith('_1');
  const lowest = Math.min(...block);
  const scale = hasMinimum ? (Math.max(...block) - lowest) / (levels - 1) : largest / (-levels / 2);
  const offset = hasMinimum ? lowest : (scale * -levels) / 2;
  const codes = block.map((value) =>
    scale === 0
      ? hasMinimum
        ? 0
        : levels / 2
      : Math.min(levels - 1, Math.floor((value - offset) / scale + 0.5)),
  );
  const fifth = codes.reduce((word, code, i) => word | ((code >> 4) << i), 0);
  const pairs = Array.from(
    { length: 16 },
    (_, j) => ((codes[j] ?? 0) & 15) | (((codes[j + 16] ?? 0) & 15) << 4),
  );
  return {
    bytes: [
      ...halfBytes(scale),
      ...(hasMinimum ? halfBytes(lowest) : []),
      ...(levels === 32 ? [0, 8, 16, 24].map((shift) => (fifth >>> shift) & 255) : []),
      ...pairs,
    ],
    values: codes.map((code) =>
      hasMinimum
        ? Math.fround(Math.fround(half(scale) * code) + half(lowest))
        : half(scale) * (code - levels / 2),
    ),
  };
}

export interface QuantisedAffine {
  words: Uint32Array<ArrayBuffer>;
  scales: Float32Array;
  biases: Float32Array;
  values: Float32Array;
}

/** MLX's: the edge of a group that lies further from zero is kept exactly, and so is zero. Scales and biases are f16. */
export function quantiseAffine(values: Float32Array, bits: 4 | 8, group: number): QuantisedAffine {
  const steps = 2 ** bits - 1;
  const words = new Uint32Array((values.length * bits) / 32);
  const scales = new Float32Array(values.length / group);
  const biases = new Float32Array(values.length / group);
  const out = new Float32Array(values.length);
  for (let g = 0; g < scales.length; g++) {
    const own = [...values.subarray(g * group, (g + 1) * group)];
    const [low, high] = [Math.min(...own), Math.max(...own)];
    const lowIsEdge = Math.abs(low) > Math.abs(high);
    const step = Math.max((high - low) / steps, 1e-7) * (lowIsEdge ? 1 : -1);
    const edge = lowIsEdge ? low : high;
    const zero = Math.round(edge / step);
    const scale = half(zero === 0 ? step : edge / zero);
    const bias = half(zero === 0 ? 0 : edge);
    [scales[g], biases[g]] = [scale, bias];
    own.forEach((value, i) => {
      const code = Math.min(steps, Math.max(0, Math.round((value - bias) / scale)));
      const at = g * group + i;
      const word = Math.floor((at * bits) / 32);
      words[word] = ((words[word] ?? 0) | (code << ((at * bits) % 32))) >>> 0;
      out[at] = Math.fround(Math.fround(scale * code) + bias);
    });
  }
  return { words, scales, biases, values: out };
}
