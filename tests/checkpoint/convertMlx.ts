/** A model of Hugging Face's form as `mlx_lm.convert -q` leaves it: one model.safetensors and a config.json that says how. */
import { float32ToFloat16Bits } from '../../src/checkpoint/halfFloat';
import type { WeightSource } from '../../src/checkpoint/source';
import type { Json } from './convert';
import { plain, quantiseAffine } from './quantise';

export interface ConvertedMlx {
  config: Json;
  weights: Uint8Array<ArrayBuffer>;
  /** By name: the numbers that the file's bytes stand for. */
  values: Map<string, Float32Array>;
}

/** Matrices whose rows hold whole groups are packed; the rest is f16. */
export async function convertToMlx(
  json: Json,
  source: WeightSource,
  bits: 4 | 8,
  group: 32 | 64,
): Promise<ConvertedMlx> {
  const values = new Map<string, Float32Array>();
  const parts: { name: string; dtype: string; shape: number[]; bytes: Uint8Array }[] = [];
  const halves = (name: string, shape: number[], numbers: Float32Array) =>
    parts.push({ name, dtype: 'F16', shape, bytes: new Uint8Array(float32ToFloat16Bits(numbers).buffer) });
  for (const name of source.names()) {
    const shape = source.shape(name);
    const [rows = 0, width = 1] = shape;
    const given = await source.read(name);
    if (shape.length === 1 || width % group !== 0) {
      halves(name, shape, given);
      values.set(name, plain(given, 'F16').values);
      continue;
    }
    const packed = quantiseAffine(given, bits, group);
    const layer = name.replace(/\.weight$/, '');
    const bytes = new Uint8Array(packed.words.buffer);
    parts.push({ name, dtype: 'U32', shape: [rows, (width * bits) / 32], bytes });
    halves(`${layer}.scales`, [rows, width / group], packed.scales);
    halves(`${layer}.biases`, [rows, width / group], packed.biases);
    values.set(name, packed.values);
  }
  const quantization = { group_size: group, bits };
  return {
    config: { ...json, quantization, quantization_config: quantization },
    weights: safetensors(parts),
    values,
  };
}

function safetensors(parts: { name: string; dtype: string; shape: number[]; bytes: Uint8Array }[]) {
  let end = 0;
  const header = Object.fromEntries(
    parts.map(({ name, dtype, shape, bytes }) => {
      const begin = end;
      end += bytes.length;
      return [name, { dtype, shape, data_offsets: [begin, end] }];
    }),
  );
  const json = JSON.stringify({ __metadata__: { format: 'mlx' }, ...header });
  const text = new TextEncoder().encode(json + ' '.repeat(-json.length & 7));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return new Uint8Array(Buffer.concat([length, text, ...parts.map(({ bytes }) => bytes)]));
}
