/**
 * A LoRA adapter as MLX-LM reads it: both halves transposed, and the scale itself in place of alpha. One rank and one scale
 * for all layers, so an adapter with PEFT patterns has no MLX form.
 */
import { adapterModules, type AdapterWeights } from '../adapter/spec';
import { FormatError, writeSafetensors, type TensorToWrite } from '../checkpoint/safetensors';
import type { ModelConfig } from '../model/config';
import { linearName } from '../model/shapes';

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
      keys: spec.targets.map((target) => linearName(0, target).replace('model.layers.0.', '')),
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

/** values [rows, cols] → [cols, rows] */
function half(adapter: AdapterWeights, key: string, rows: number, cols: number): Float32Array {
  const values = adapter.tensors.get(key)?.values;
  if (!values) throw new FormatError(`The adapter has no ${key}.`);
  const transposed = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) transposed[col * rows + row] = values[row * cols + col] ?? NaN;
  }
  return transposed;
}
