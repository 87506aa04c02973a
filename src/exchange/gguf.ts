/**
 * A LoRA adapter as llama.cpp and Ollama read it: one GGUF file. llama.cpp multiplies by alpha / rank of each layer, with one
 * alpha for the file, so that rsLoRA and per-layer alphas are folded in here. A wrong row order loads without a word and
 * answers wrongly: see `ropeRows.ts`, and the tests against llama.cpp itself.
 */
import { adapterModules, type AdapterModule, type AdapterWeights } from '../adapter/spec';
import { FormatError } from '../checkpoint/safetensors';
import type { ModelConfig } from '../model/config';
import type { Family } from '../model/families';
import { targetsOf } from '../model/shapes';
import type { Target } from '../protocol/settings';
import { AdapterError } from './adapterError';
import { readGguf, type GgufFile } from './ggufFloats';
import { GGUF_LINEAR } from '../checkpoint/gguf/names';
import { writeGguf, type GgufTensor, type GgufValue } from '../checkpoint/gguf/writer';
import { joinPairs, separatePairs } from '../checkpoint/gguf/ropeRows';

/** llama.cpp runs Mistral as `llama`; it calls the other families as we do. */
export function ggufArchitecture({ family }: ModelConfig): Exclude<Family, 'mistral'> {
  return family === 'mistral' ? 'llama' : family;
}

/** Heads whose rows are re-ordered in this layer; null where the order stays. */
export function pairedHeads(model: ModelConfig, target: Target): number | null {
  if (!['llama', 'smollm3'].includes(ggufArchitecture(model))) return null;
  if (target === 'q_proj') return model.heads;
  return target === 'k_proj' ? model.kvHeads : null;
}

export function writeGgufAdapter(
  adapter: AdapterWeights,
  model: ModelConfig,
  name: string,
): Uint8Array<ArrayBuffer> {
  const { spec } = adapter;
  const alpha = spec.rslora ? spec.alpha * Math.sqrt(spec.rank) : spec.alpha;
  const pairs = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: ggufArchitecture(model) }],
    ['general.type', { type: 'string', value: 'adapter' }],
    ['general.name', { type: 'string', value: name }],
    ['general.file_type', { type: 'u32', value: 0 }],
    ['adapter.type', { type: 'string', value: 'lora' }],
    ['adapter.lora.alpha', { type: 'f32', value: alpha }],
  ]);
  const tensors = adapterModules(spec, model).flatMap((module): GgufTensor[] => {
    const a = half(adapter, module, 'lora_A');
    const b = half(adapter, module, 'lora_B');
    const heads = pairedHeads(model, module.target);
    const ordered = heads === null ? b : joinPairs(b, module.out, heads);
    // What llama.cpp will not multiply by: 1 unless a pattern changes this layer's alpha, or its rank under rsLoRA.
    const rest = module.scale / (alpha / module.rank);
    const folded = Math.abs(rest - 1) < 1e-9 ? ordered : ordered.map((value) => value * rest);
    return [
      { name: `${ggufWeight(module)}.lora_a`, shape: [module.rank, module.in], values: a },
      { name: `${ggufWeight(module)}.lora_b`, shape: [module.out, module.rank], values: folded },
    ];
  });
  return writeGguf(pairs, tensors);
}

/** The adapter that llama.cpp would run: its ranks from the tensors, plain LoRA scale. */
export function readGgufAdapter(bytes: Uint8Array, model: ModelConfig): AdapterWeights {
  const file = readGguf(bytes);
  checkKind(file, model);
  const alpha = file.pairs.get('adapter.lora.alpha');
  if (typeof alpha !== 'number' || !(alpha > 0)) {
    throw new FormatError(`adapter.lora.alpha is ${String(alpha)}; a number above 0 is needed.`);
  }
  const own = targetsOf(model);
  const all = adapterModules({ ...PLAIN, targets: [...own], alpha, layers: model.layers }, model);
  const present = all.filter((module) => file.tensors.has(`${ggufWeight(module)}.lora_a`));
  const tensors: AdapterWeights['tensors'] = new Map();
  const rankPattern: Record<string, number> = {};
  for (const module of present) {
    const a = find(file, `${ggufWeight(module)}.lora_a`);
    const b = find(file, `${ggufWeight(module)}.lora_b`);
    const rank = a.shape[0] ?? 0;
    checkShape(a, [rank, module.in]);
    checkShape(b, [module.out, rank]);
    const heads = pairedHeads(model, module.target);
    const values = heads === null ? b.values : separatePairs(b.values, module.out, heads);
    tensors.set(`${module.name}.lora_A`, { shape: [rank, module.in], values: a.values });
    tensors.set(`${module.name}.lora_B`, { shape: [module.out, rank], values });
    rankPattern[module.name] = rank;
  }
  if (tensors.size !== file.tensors.size) {
    throw new FormatError(
      `The file has ${file.tensors.size} tensors; ${tensors.size} belong to layers of this model.`,
    );
  }
  const rank = Math.max(...Object.values(rankPattern));
  const targets = own.filter((target) => present.some((module) => module.target === target));
  const spec = { ...PLAIN, rank, alpha, layers: model.layers, targets };
  const uniform = Object.values(rankPattern).every((value) => value === rank);
  return { spec: uniform ? spec : { ...spec, rankPattern }, tensors };
}

const PLAIN = { rank: 1, rslora: false, dropout: 0 };

function ggufWeight({ layer, target }: AdapterModule): string {
  return `blk.${layer}.${GGUF_LINEAR[target]}.weight`;
}

function half(adapter: AdapterWeights, module: AdapterModule, which: 'lora_A' | 'lora_B'): Float32Array {
  const tensor = adapter.tensors.get(`${module.name}.${which}`);
  if (!tensor) throw new FormatError(`The adapter has no ${which} for ${module.name}.`);
  return tensor.values;
}

function checkKind(file: GgufFile, model: ModelConfig): void {
  const found = `${String(file.pairs.get('general.type'))} of type ${String(file.pairs.get('adapter.type'))}`;
  if (found !== 'adapter of type lora') {
    throw new FormatError(`The GGUF file is a ${found}; an adapter of type lora is needed.`);
  }
  const architecture = String(file.pairs.get('general.architecture'));
  if (architecture !== ggufArchitecture(model)) {
    throw new AdapterError(
      'This adapter belongs to another architecture.',
      ggufArchitecture(model),
      architecture,
    );
  }
}

function find(file: GgufFile, name: string): GgufTensor {
  const tensor = file.tensors.get(name);
  if (!tensor) throw new FormatError(`The GGUF file holds no ${name}.`);
  return tensor;
}

function checkShape({ name, shape }: GgufTensor, expected: number[]): void {
  if (shape.length === expected.length && shape.every((size, i) => size === expected[i])) return;
  throw new AdapterError(
    `${name} does not fit the model.`,
    `[${expected.join(', ')}]`,
    `[${shape.join(', ')}]`,
  );
}
