/**
 * MLX's quantised matrices in safetensors: `weight` holds packed codes in U32 words, low bits first; `scales` and `biases`
 * [rows, width / group] turn them into numbers, w = scale · code + bias (mlx.core.quantize, mode "affine"). config.json says how many
 * bits and how large the groups are, for all layers or one by one.
 */
import type { CheckpointTensor } from './checkpoint';
import type { PlacedEntry } from './safetensorsFiles';
import { FormatError } from './safetensors';

interface Quantization {
  bits: 4 | 8;
  group: number;
}

const GROUPS = [32, 64, 128];

/** `placed`: all tensors of the files. Returns the matrix that `name` (a U32 tensor) and its two companions make. */
export function affineTensor(
  name: string,
  placed: ReadonlyMap<string, PlacedEntry>,
  config: unknown,
): CheckpointTensor {
  const layer = name.replace(/\.weight$/, '');
  const { bits, group } = quantizationOf(config, layer);
  const find = (key: string): PlacedEntry => {
    const found = placed.get(key);
    if (!found) throw new FormatError(`${name} is packed in words, but ${key} is missing.`);
    return found;
  };
  const weight = find(name);
  const scales = find(`${layer}.scales`);
  const biases = find(`${layer}.biases`);
  const [rows, words, ...rest] = weight.entry.shape;
  if (rows === undefined || words === undefined || rest.length > 0)
    throw new FormatError(`${name} has ${weight.entry.shape.length} dimensions; a packed matrix has two.`);
  const width = (words * 32) / bits;
  const { dtype } = scales.entry;
  if ((dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') || biases.entry.dtype !== dtype)
    throw new FormatError(
      `The scales and biases of ${layer} are ${dtype} and ${biases.entry.dtype}; one kind of float is needed.`,
    );
  for (const { entry } of [scales, biases])
    if (entry.shape.join() !== [rows, width / group].join())
      throw new FormatError(
        `${entry.name} is [${entry.shape.join(', ')}]; [${rows}, ${width / group}] is needed for ${bits} bits in groups of ${group}.`,
      );
  const range = ({ file, entry: { begin, end } }: PlacedEntry) => ({ file, begin, end });
  return {
    name,
    shape: [rows, width],
    encoding: bits === 4 ? 'MLX4' : 'MLX8',
    at: range(weight),
    affine: { scales: range(scales), biases: range(biases), dtype, group },
  };
}

/** True for the scales and biases that belong to a packed matrix. */
export function isCompanion(name: string, placed: ReadonlyMap<string, PlacedEntry>): boolean {
  const layer = /^(.*)\.(scales|biases)$/.exec(name)?.[1];
  return layer !== undefined && placed.get(`${layer}.weight`)?.entry.dtype === 'U32';
}

function quantizationOf(config: unknown, layer: string): Quantization {
  const all = isRecord(config) ? (config['quantization'] ?? config['quantization_config']) : undefined;
  if (!isRecord(all))
    throw new FormatError(`${layer} is packed in words, but config.json has no "quantization".`);
  const own = Object.hasOwn(all, layer) ? all[layer] : all;
  const { bits, group_size: group, mode = 'affine' } = isRecord(own) ? own : {};
  if (mode !== 'affine' || (bits !== 4 && bits !== 8) || typeof group !== 'number' || !GROUPS.includes(group))
    throw new FormatError(
      `${layer} is quantised as ${JSON.stringify(own)}; 4 or 8 bits in groups of ${GROUPS.join(', ')}, mode affine, are read.`,
    );
  return { bits, group };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
