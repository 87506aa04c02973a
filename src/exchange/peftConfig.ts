/**
 * adapter_config.json of a PEFT LoRA adapter, read strictly. What changes the mathematics and is not supported is an error;
 * a key that PEFT itself would ignore is a warning. Knows nothing of tensors.
 */
import * as v from 'valibot';
import type { AdapterSpec } from '../adapter/spec';
import { FormatError } from '../checkpoint/safetensors';
import { parseStrictJson } from '../checkpoint/strictJson';
import { FUSED_TARGETS, TARGETS, type Target } from '../protocol/settings';

const MAX_CHARACTERS = 1_000_000;

const whole = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096));
const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const absent = (what: string) => v.nullish(v.custom<null | false>(isEmpty, `${what} is not supported`));

const schema = v.looseObject({
  peft_type: v.literal('LORA'),
  task_type: v.nullish(v.literal('CAUSAL_LM')),
  base_model_name_or_path: v.nullish(v.string()),
  revision: v.nullish(v.string()),
  r: whole,
  lora_alpha: positive,
  lora_dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
  target_modules: v.pipe(v.array(v.string()), v.minLength(1)),
  use_rslora: v.optional(v.boolean(), false),
  rank_pattern: v.optional(v.record(v.string(), whole), {}),
  alpha_pattern: v.optional(v.record(v.string(), positive), {}),
  bias: v.optional(v.literal('none')),
  init_lora_weights: v.optional(v.union([v.boolean(), v.picklist(['gaussian', 'eva', 'orthogonal'])])),
  fan_in_fan_out: absent('fan_in_fan_out'),
  use_dora: absent('DoRA'),
  modules_to_save: absent('a fully trained layer (modules_to_save)'),
  layers_to_transform: absent('adapting only some layers (layers_to_transform)'),
  layer_replication: absent('layer_replication'),
  exclude_modules: absent('exclude_modules'),
  lora_bias: absent('lora_bias'),
  trainable_token_indices: absent('trainable_token_indices'),
  target_parameters: absent('target_parameters'),
  alora_invocation_tokens: absent('aLoRA'),
});

/** Keys PEFT writes that say nothing about what the adapter computes. */
const HARMLESS = new Set([
  'auto_mapping',
  'inference_mode',
  'layers_pattern',
  'peft_version',
  'megatron_config',
  'megatron_core',
  'qalora_group_size',
  'loftq_config',
]);

export interface PeftConfig {
  spec: Omit<AdapterSpec, 'layers'>;
  baseName: string | null;
  revision: string | null;
  warnings: string[];
}

export function readPeftConfig(text: string): PeftConfig {
  const parsed = v.safeParse(schema, parse(text));
  if (!parsed.success) {
    const reasons = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'the file'}: ${issue.message}`);
    throw new FormatError(`adapter_config.json cannot be used. ${reasons.join('; ')}.`);
  }
  const config = parsed.output;
  const spec: PeftConfig['spec'] = {
    rank: config.r,
    alpha: config.lora_alpha,
    rslora: config.use_rslora,
    dropout: config.lora_dropout,
    targets: readTargets(config.target_modules),
  };
  if (Object.keys(config.rank_pattern).length > 0) spec.rankPattern = readPattern(config.rank_pattern);
  if (Object.keys(config.alpha_pattern).length > 0) spec.alphaPattern = readPattern(config.alpha_pattern);
  return {
    spec,
    baseName: config.base_model_name_or_path ?? null,
    revision: config.revision ?? null,
    warnings: unknownKeys(config),
  };
}

export function writePeftConfig(spec: AdapterSpec, base: { name: string; revision: string | null }): string {
  if (!Number.isInteger(spec.alpha)) {
    // Ollama reads it as an unsigned integer.
    throw new FormatError(
      `An alpha of ${spec.alpha} cannot be written: other tools read whole numbers only.`,
    );
  }
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    auto_mapping: null,
    base_model_name_or_path: base.name,
    revision: base.revision,
    inference_mode: true,
    r: spec.rank,
    lora_alpha: spec.alpha,
    lora_dropout: spec.dropout,
    bias: 'none',
    fan_in_fan_out: false,
    target_modules: spec.targets,
    modules_to_save: null,
    init_lora_weights: true,
    use_rslora: spec.rslora,
    use_dora: false,
    layers_to_transform: null,
    layers_pattern: null,
    rank_pattern: spec.rankPattern ?? {},
    alpha_pattern: spec.alphaPattern ?? {},
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function parse(text: string): unknown {
  if (text.length > MAX_CHARACTERS) {
    throw new FormatError(
      `adapter_config.json has ${text.length} characters; at most ${MAX_CHARACTERS} are read.`,
    );
  }
  try {
    return parseStrictJson(text, { maxDepth: 16 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`adapter_config.json is not readable JSON: ${reason}.`, { cause });
  }
}

const READABLE: readonly Target[] = [...TARGETS, ...FUSED_TARGETS];

/** In the order of READABLE. "q_proj" and "self_attn.q_proj" mean the same layer of every block. */
function readTargets(modules: string[]): Target[] {
  const names = modules.map((module) => module.split('.').at(-1) ?? module);
  const unknown = names.filter((name) => !READABLE.some((target) => target === name));
  if (unknown.length > 0) {
    throw new FormatError(
      `adapter_config.json adapts ${unknown.join(', ')}; Loratory adapts ${READABLE.join(', ')}.`,
    );
  }
  return READABLE.filter((target) => names.includes(target));
}

function readPattern(pattern: Record<string, number>): Record<string, number> {
  for (const key of Object.keys(pattern)) {
    if (!/^[\w.]+$/.test(key)) {
      throw new FormatError(`adapter_config.json has the pattern "${key}"; only plain layer names are read.`);
    }
  }
  return pattern;
}

/** Unknown keys with an empty value mean that a feature is off. A feature that is on and unknown must not be ignored. */
function unknownKeys(config: Record<string, unknown>): string[] {
  const unknown = Object.entries(config).filter(
    ([key, value]) => !Object.hasOwn(schema.entries, key) && !HARMLESS.has(key) && !isEmpty(value),
  );
  const switchedOn = unknown.find(([key]) => key.startsWith('use_'));
  if (switchedOn)
    throw new FormatError(`adapter_config.json turns on ${switchedOn[0]}, which is not supported.`);
  return unknown.map(([key]) => `adapter_config.json has the unknown key "${key}"; it was ignored.`);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
