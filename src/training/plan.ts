/** Predicts steps and bytes of a run before anything is allocated. Formulas follow what step.ts and weights.ts allocate. */
import { adapterModules, specOf } from '../adapter/spec';
import type { ModelConfig } from '../model/config';
import { linearShape, parameterCount } from '../model/shapes';
import { weightShapes } from '../model/weights';
import type { PackedRows } from '../protocol/data';
import type { MemoryPart, Plan } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import { outsideFormat, weightBytes, type WeightFormat } from '../protocol/weightFormats';
import { chunkRows } from './head';
import { planSteps } from './order';

/** Tokens of one micro-batch: enough rows to keep a GPU busy, few enough to stay small. */
const MICRO_TOKENS = 1024;

export function microRows(length: number, rowsPerStep: number): number {
  return Math.max(1, Math.min(rowsPerStep, Math.floor(MICRO_TOKENS / length)));
}

export function planRun(
  config: ModelConfig,
  settings: Settings,
  train: Pick<PackedRows, 'rows' | 'examples' | 'length'>,
  machine: { backend: string; device: string },
): Plan {
  const { rowsPerStep, steps } = planSteps(settings, train);
  const rows = microRows(train.length, rowsPerStep);
  const tokens = rows * train.length;
  const full = settings.method === 'full';
  const modules = full ? [] : adapterModules(specOf(settings, config), config);
  const trainableParameters = full
    ? parameterCount(config)
    : modules.reduce((sum, module) => sum + module.rank * (module.in + module.out), 0);
  const format = machine.backend === 'webgpu' ? settings.weightFormat : 'f32';
  const memory: MemoryPart[] = [
    { part: 'weights', bytes: full ? 0 : frozenBytes(config, format) },
    { part: 'adapter', bytes: 4 * trainableParameters },
    { part: 'optimizer', bytes: 12 * trainableParameters },
    { part: 'activations', bytes: activationBytes(config, tokens, settings.recompute) },
    { part: 'head', bytes: headBytes(config, tokens, full) },
    { part: 'staging', bytes: stagingBytes(config, tokens, train.length) },
  ];
  return {
    ...machine,
    steps,
    rowsPerStep,
    tokensPerStep: rowsPerStep * train.length,
    trainableParameters,
    frozenParameters: full ? 0 : parameterCount(config),
    memory,
    predictedBytes: memory.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function frozenBytes(config: ModelConfig, format: WeightFormat): number {
  let bytes = 0;
  for (const [name, shape] of weightShapes(config)) {
    const [n = 1, k] = shape;
    const own = name.startsWith('model.layers.') ? format : outsideFormat(format);
    bytes += k === undefined ? 4 * n : weightBytes(own, n, k);
  }
  return bytes;
}

/** Ranges of each window and turns of each kind of layer, ids, targets and weights. */
function stagingBytes({ kinds }: ModelConfig, tokens: number, length: number): number {
  const windows = new Set(kinds.map(({ window }) => window)).size;
  const turned = kinds.reduce((sum, { rope }) => sum + (rope?.dim ?? 0), 0);
  return 4 * turned * length + 4 * tokens * (4 + 3 * windows);
}

/** The input of every layer, and everything one layer keeps while it is differentiated. */
function activationBytes(config: ModelConfig, tokens: number, recompute: boolean): number {
  const { hidden, layers, ffn } = config;
  const q = linearShape(config, 'q_proj').out;
  const k = linearShape(config, 'k_proj').out;
  // what is normed on its way out is kept before and after; what is fused is kept whole and split
  const extra = (config.outputNorms ? 4 * hidden : 0) + (config.fused ? q + 2 * k + 2 * ffn : 0);
  const layer = 6 * hidden + 5 * q + 6 * k + 6 * ffn + 3 * config.heads + extra;
  return 4 * tokens * (recompute ? hidden * (layers + 1) + layer : layers * layer);
}

function headBytes(config: ModelConfig, tokens: number, full: boolean): number {
  const rows = chunkRows(config.vocab, tokens);
  return (
    4 *
    (rows * config.vocab +
      4 * rows * config.hidden +
      tokens * config.hidden +
      (full ? 2 * config.vocab * config.hidden : 0))
  );
}
