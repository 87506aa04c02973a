/**
 * Predicts steps and bytes of a run before anything is allocated: the weights, the flat buffers, and what one pass takes from
 * TensorFlow.js' buffer pool (passBuffers.ts). Nothing is guessed; tests/training/plan.gpu.test.ts compares with the pool.
 */
import { adapterModules, specOf } from '../adapter/spec';
import { parameterCount, type ModelConfig } from '../model/config';
import { weightShapes } from '../model/weights';
import type { PackedRows } from '../protocol/data';
import type { MemoryPart, Plan } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import type { Bytes } from '../units';
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
  machine: { backend: string; device: string },
): Plan {
  const { rowsPerStep, steps } = planSteps(settings, train);
  const rows = microRows(train.length, rowsPerStep);
  const tokens = rows * train.length;
  const full = settings.method === 'full';
  const modules = full ? [] : adapterModules(specOf(settings, config.layers), config);
  const trainableParameters = full
    ? parameterCount(config)
    : modules.reduce((count, module) => count + module.rank * (module.in + module.out), 0);
  const half = settings.weightFormat === 'f16' && machine.backend === 'webgpu' && !full;
  const weights = full ? [] : frozenBuffers(config, half);
  const flat = rowsOf(1, trainableParameters);
  const staging = [...batchBuffers(config, train.length, tokens), flat];
  const pool = new Pool();
  pool.take(...weights, flat, flat, flat, flat, ...staging);
  const trained = full ? 'all' : new Map(modules.map(({ target, rank }) => [target, rank]));
  const work: LayerWork = { config, tokens, trained, dropout: settings.dropout > 0 };
  const pass = passBuffers(pool, work, settings.recompute);
  const memory: MemoryPart[] = [
    { part: 'weights', bytes: sum(weights) },
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

/** Every weight has a buffer of its own. */
function frozenBuffers(config: ModelConfig, half: boolean): Bytes[] {
  return [...weightShapes(config).values()].map((shape) => {
    const count = shape.reduce((product, side) => product * side, 1);
    return count * (half && shape.length === 2 && shape.every((side) => side % 4 === 0) ? 2 : 4);
  });
}

/** The rotary table and the rows of a micro-batch: ids, targets, weights, positions, and three numbers of sight a token. */
function batchBuffers(config: ModelConfig, length: number, tokens: number): Bytes[] {
  const column = rowsOf(tokens, 1);
  return [rowsOf(length, config.headDim), column, column, column, column, rowsOf(tokens, 3)];
}

function sum(sizes: readonly Bytes[]): Bytes {
  return sizes.reduce((total, size) => total + size, 0);
}
