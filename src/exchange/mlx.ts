/**
 * A LoRA adapter as MLX-LM reads it: both halves transposed, and the scale itself in place of alpha. One rank and one scale
 * for all layers, so an adapter with PEFT patterns has no MLX form.
 */
import * as v from 'valibot';
import { adapterModules, type AdapterWeights } from '../adapter/spec';
import {
  FormatError,
  readSafetensors,
  tensorBytes,
  toFloat32,
  writeSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
} from '../checkpoint/safetensors';
import type { ModelConfig } from '../model/config';
import { linearName, targetsOf } from '../model/shapes';
import type { Target } from '../protocol/settings';

export interface MlxFiles {
  config: string;
  weights: Uint8Array<ArrayBuffer>;
}

/** null when the adapter cannot be said in MLX's terms. */
export function writeMlx(adapter: AdapterWeights, model: ModelConfig, baseName: string): MlxFiles | null {
  const { spec } = adapter;
  if (spec.rankPattern || spec.alphaPattern) return null;
  const config = {
    fine_tune_type: 'lora',
    // Counted from the last layer; the model's own count means all.
    num_layers: model.layers,
    model: baseName,
    lora_parameters: {
      rank: spec.rank,
      scale: spec.alpha / (spec.rslora ? Math.sqrt(spec.rank) : spec.rank),
      dropout: spec.dropout,
      keys: spec.targets.map(keyOf),
    },
  };
  const tensors = adapterModules(spec, model).flatMap(({ name, rank, in: cols, out }): TensorToWrite[] => [
    {
      name: `${name}.lora_a`,
      dtype: 'F32',
      shape: [cols, rank],
      values: half(adapter, `${name}.lora_A`, rank, cols),
    },
    {
      name: `${name}.lora_b`,
      dtype: 'F32',
      shape: [rank, out],
      values: half(adapter, `${name}.lora_B`, out, rank),
    },
  ]);
  return {
    config: `${JSON.stringify(config, null, 2)}\n`,
    weights: writeSafetensors(tensors, { format: 'mlx' }),
  };
}

/** MLX's config as far as it decides what the model answers. */
const configSchema = v.object({
  fine_tune_type: v.literal('lora'),
  num_layers: v.number(),
  lora_parameters: v.object({
    rank: v.pipe(v.number(), v.integer(), v.minValue(1)),
    scale: v.number(),
    keys: v.array(v.string()),
  }),
});

/** The adapter that MLX-LM would run: plain LoRA whose scale is the file's own. */
export function readMlx({ config, weights }: MlxFiles, model: ModelConfig): AdapterWeights {
  const { num_layers: layers, lora_parameters: lora } = v.parse(configSchema, JSON.parse(config));
  if (layers !== model.layers)
    throw new FormatError(`The MLX files are for ${layers} layers; the model has ${model.layers}.`);
  const targets = targetsOf(model).filter((target) => lora.keys.includes(keyOf(target)));
  const { rank } = lora;
  const spec = { rank, alpha: lora.scale * rank, rslora: false, dropout: 0, targets, layers };
  const file = readSafetensors(weights);
  const tensors: AdapterWeights['tensors'] = new Map();
  for (const { name, in: cols, out } of adapterModules(spec, model)) {
    tensors.set(`${name}.lora_A`, {
      shape: [rank, cols],
      values: read(file, weights, `${name}.lora_a`, cols, rank),
    });
    tensors.set(`${name}.lora_B`, {
      shape: [out, rank],
      values: read(file, weights, `${name}.lora_b`, rank, out),
    });
  }
  if (tensors.size !== file.entries.size)
    throw new FormatError(`The MLX file has ${file.entries.size} tensors; its config names ${tensors.size}.`);
  return { spec, tensors };
}

const keyOf = (target: Target): string => linearName(0, target).replace('model.layers.0.', '');

/** A half of shape [rows, cols] in the file, as PEFT lays it: [cols, rows]. */
function read(
  file: SafetensorsFile,
  bytes: Uint8Array,
  name: string,
  rows: number,
  cols: number,
): Float32Array {
  const entry = file.entries.get(name);
  if (!entry) throw new FormatError(`The MLX file holds no ${name}.`);
  if (entry.shape.join() !== `${rows},${cols}`)
    throw new FormatError(`${name} has the shape [${entry.shape.join(', ')}]; [${rows}, ${cols}] is needed.`);
  return transpose(toFloat32(tensorBytes(bytes, entry), entry.dtype), rows, cols);
}

function half(adapter: AdapterWeights, key: string, rows: number, cols: number): Float32Array {
  const values = adapter.tensors.get(key)?.values;
  if (!values) throw new FormatError(`The adapter has no ${key}.`);
  return transpose(values, rows, cols);
}

/** values [rows, cols] → [cols, rows] */
function transpose(values: Float32Array, rows: number, cols: number): Float32Array {
  const transposed = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) transposed[col * rows + row] = values[row * cols + col] ?? NaN;
  }
  return transposed;
}
