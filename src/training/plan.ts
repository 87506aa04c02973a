/**
 * Predicts steps and bytes of a run before anything is allocated: the weights, the flat buffers, and what one pass takes from
 * TensorFlow.js' buffer pool (passBuffers.ts). Nothing is guessed; tests/training/plan.gpu.test.ts compares with the pool.
 */
import { adapterModules, specOf } from '../adapter/spec';
import type { ModelConfig } from '../model/config';
import { formatOfTensor, parameterCount, weightShapes } from '../model/shapes';
import type { PackedRows } from '../protocol/data';
import type { Detour } from '../protocol/detours';
import type { MemoryPart, Plan } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import { weightBytes, type WeightFormat } from '../protocol/weightFormats';
import type { Bytes } from '../units';
import { chunkRows } from './chunkRows';
import { rowsOf, type LayerWork } from './layerBuffers';
import { planSteps } from './order';
import { passBuffers } from './passBuffers';
import { Pool } from './pool';

/** Tokens of one micro-batch: enough rows to keep a GPU busy, few enough to stay small. */
const MICRO_TOKENS = 1024;

export function microRows(length: number, rowsPerStep: number): number {
  return Math.max(1, Math.min(rowsPerStep, Math.floor(MICRO_TOKENS / length)));
}

export function planRun(
  config: ModelConfig,
  settings: Settings,
  train: Pick<PackedRows, 'rows' | 'examples' | 'length'>,
  machine: { backend: string; device: string; detours?: Detour[] },
): Plan {
  const { rowsPerStep, steps } = planSteps(settings, train);
  const rows = microRows(train.length, rowsPerStep);
  const tokens = rows * train.length;
  const full = settings.method === 'full';
  const modules = full ? [] : adapterModules(specOf(settings, config), config);
  const trainableParameters = full
    ? parameterCount(config)
    : modules.reduce((count, module) => count + module.rank * (module.in + module.out), 0);
  const format = machine.backend === 'webgpu' ? settings.weightFormat : 'f32';
  const flat = rowsOf(1, trainableParameters);
  const staging = [...batchBuffers(config, train.length, tokens), flat];
  const pool = new Pool();
  pool.take(flat, flat, flat, flat, ...staging);
  const trained = full ? 'all' : new Map(modules.map(({ target, rank }) => [target, rank]));
  const work: LayerWork = { config, tokens, trained, dropout: settings.dropout > 0 };
  const pass = passBuffers(pool, work, {
    keptLayers: settings.keptLayers,
    halfInputs: settings.halfInputs && machine.backend === 'webgpu',
  });
  const memory: MemoryPart[] = [
    { part: 'weights', bytes: full ? 0 : frozenBytes(config, format) },
    { part: 'adapter', bytes: flat },
    { part: 'optimizer', bytes: 3 * flat },
    { part: 'activations', bytes: pass.activations },
    { part: 'head', bytes: pass.head },
    { part: 'staging', bytes: sum(staging) },
  ];
  return {
    ...machine,
    steps,
    rowsPerStep,
    tokensPerStep: rowsPerStep * train.length,
    trainableParameters,
    frozenParameters: full ? 0 : parameterCount(config),
    memory,
    predictedBytes: sum(memory.map(({ bytes }) => bytes)),
  };
}

/** Weights lie in buffers of their own, outside the pool. */
function frozenBytes(config: ModelConfig, format: WeightFormat): Bytes {
  let bytes = 0;
  for (const [name, shape] of weightShapes(config)) {
    const [n = 1, k] = shape;
    bytes += k === undefined ? rowsOf(1, n) : weightBytes(formatOfTensor(name, format), n, k);
  }
  return bytes;
}

/**
 * The rotary tables, and twice, for a step and for the check on held-out rows: ids, positions, the ranges of each window, and the
 * chunks of learned tokens with their places, targets and weights.
 */
function batchBuffers(config: ModelConfig, length: number, tokens: number): Bytes[] {
  const column = rowsOf(tokens, 1);
  const chunk = chunkRows(config.vocab, tokens);
  const chunks = Array.from({ length: 3 * Math.ceil(tokens / chunk) }, () => rowsOf(chunk, 1));
  const windows = [...new Set(config.kinds.map(({ window }) => window))].map(() => rowsOf(tokens, 3));
  const once = [column, column, ...windows, ...chunks];
  return [...config.kinds.map(({ rope }) => rowsOf(length, rope?.dim ?? 0)), ...once, ...once];
}

function sum(sizes: readonly Bytes[]): Bytes {
  return sizes.reduce((total, size) => total + size, 0);
}
