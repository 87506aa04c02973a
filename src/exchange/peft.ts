/**
 * A LoRA adapter as PEFT writes it to disk: adapter_config.json and adapter_model.safetensors. Every tensor the config
 * promises must be there, in the shape the model needs, and nothing else: PEFT itself would pass over a wrong name in
 * silence and answer like the base.
 */
import { adapterModules, type AdapterModule, type AdapterSpec, type AdapterWeights } from '../adapter/spec';
import {
  FormatError,
  readSafetensors,
  tensorBytes,
  toFloat32,
  writeSafetensors,
  type SafetensorsFile,
} from '../checkpoint/safetensors';
import type { ModelConfig } from '../model/config';
import { targetsOf } from '../model/shapes';
import { AdapterError } from './adapterError';
import { readPeftConfig, writePeftConfig } from './peftConfig';

export const PEFT_CONFIG = 'adapter_config.json';
export const PEFT_WEIGHTS = 'adapter_model.safetensors';

const PREFIX = 'base_model.model.';
const LIMITS = { maxHeader: 4_000_000, maxTensors: 5000, maxRank: 4 };
/** Trained adapters stay far below; a larger value is worth a word. */
const HUGE = 1000;

export interface PeftFiles {
  config: string;
  weights: Uint8Array<ArrayBuffer>;
}
export interface PeftAdapter extends AdapterWeights {
  baseName: string | null;
  revision: string | null;
  warnings: string[];
}

/** The key of half a pair in the file, e.g. "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight". */
export const peftKey = (module: string, half: 'lora_A' | 'lora_B') => `${PREFIX}${module}.${half}.weight`;

/** What an adapter was trained on: a repository (owner/name) where there is one. `revision`: a commit. */
export interface BaseName {
  name: string;
  revision: string | null;
}

export function writePeft(adapter: AdapterWeights, base: BaseName): PeftFiles {
  const tensors = [...adapter.tensors].map(([key, { shape, values }]) => {
    return { name: `${PREFIX}${key}.weight`, dtype: 'F32' as const, shape: [...shape], values };
  });
  tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    config: writePeftConfig(adapter.spec, base),
    weights: writeSafetensors(tensors, { format: 'pt' }),
  };
}

export function readPeft(configText: string, weights: Uint8Array, model: ModelConfig): PeftAdapter {
  const { spec: read, ...rest } = readPeftConfig(configText);
  const spec: AdapterSpec = { ...read, layers: model.layers };
  checkTargets(spec, model);
  const file = readSafetensors(weights, LIMITS);
  const modules = adapterModules(spec, model);
  checkNames(file, modules, model);
  checkShapes(file, modules);
  const warnings = [...rest.warnings];
  const tensors: AdapterWeights['tensors'] = new Map();
  for (const { name, rank, in: cols, out } of modules) {
    tensors.set(`${name}.lora_A`, {
      shape: [rank, cols],
      values: readValues(file, weights, peftKey(name, 'lora_A'), warnings),
    });
    tensors.set(`${name}.lora_B`, {
      shape: [out, rank],
      values: readValues(file, weights, peftKey(name, 'lora_B'), warnings),
    });
  }
  return { ...rest, spec, tensors, warnings };
}

function checkTargets({ targets }: AdapterSpec, model: ModelConfig): void {
  const own = targetsOf(model);
  const foreign = targets.filter((target) => !own.includes(target));
  if (foreign.length === 0) return;
  throw new AdapterError(
    'This adapter changes layers that the chosen model does not have.',
    own.join(', '),
    foreign.join(', '),
  );
}

/** Exactly the names the config promises. */
function checkNames(file: SafetensorsFile, modules: AdapterModule[], model: ModelConfig): void {
  const expected = new Set(modules.flatMap(({ name }) => [peftKey(name, 'lora_A'), peftKey(name, 'lora_B')]));
  const found = [...file.entries.keys()];
  const layers = 1 + Math.max(-1, ...found.map((name) => Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? -1)));
  if (layers !== model.layers && layers > 0) {
    throw new AdapterError(
      'This adapter belongs to another base model.',
      `${model.layers} layers (the chosen model)`,
      `${layers} layers (the adapter)`,
    );
  }
  const missing = [...expected].find((name) => !file.entries.has(name));
  const foreign = found.find((name) => !expected.has(name));
  if (missing === undefined && foreign === undefined) return;
  throw new FormatError(
    `${PEFT_WEIGHTS} does not hold what ${PEFT_CONFIG} says. ` +
      (missing === undefined ? '' : `Missing: ${missing}. `) +
      (foreign === undefined ? '' : `Not expected: ${foreign}. `) +
      `It holds ${found.length} tensors; ${expected.size} are needed.`,
  );
}

function checkShapes(file: SafetensorsFile, modules: AdapterModule[]): void {
  const wrong = modules.flatMap(({ name, rank, in: cols, out }) => [
    ...shapeMismatch(file, peftKey(name, 'lora_A'), [rank, cols]),
    ...shapeMismatch(file, peftKey(name, 'lora_B'), [out, rank]),
  ]);
  const [first] = wrong;
  if (!first) return;
  throw new AdapterError(
    `The adapter does not fit the chosen model and its own config: ${wrong.length} tensors have another shape, first ${first.name}.`,
    `[${first.expected.join(', ')}]`,
    `[${first.found.join(', ')}]`,
  );
}

function shapeMismatch(file: SafetensorsFile, name: string, expected: number[]) {
  const found = file.entries.get(name)?.shape ?? [];
  return found.length === expected.length && found.every((size, i) => size === expected[i])
    ? []
    : [{ name, expected, found }];
}

function readValues(
  file: SafetensorsFile,
  bytes: Uint8Array,
  name: string,
  warnings: string[],
): Float32Array {
  const entry = file.entries.get(name);
  if (!entry) throw new FormatError(`${PEFT_WEIGHTS} holds no ${name}.`);
  const values = toFloat32(tensorBytes(bytes, entry), entry.dtype);
  let largest = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? NaN;
    if (!Number.isFinite(value)) {
      throw new FormatError(
        `${name} holds ${value} at place ${index} of ${values.length}; the adapter cannot be used.`,
      );
    }
    largest = Math.max(largest, Math.abs(value));
  }
  if (largest > HUGE) {
    warnings.push(
      `${name} holds values up to ${largest.toPrecision(3)}; trained adapters stay below ${HUGE}.`,
    );
  }
  return values;
}
