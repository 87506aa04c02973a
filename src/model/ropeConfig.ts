/**
 * Reads what config.json says about rotary embedding: base, share of each head that is turned, and long-context scaling. Strict: a
 * scaling or a key that is not known is refused, since a wrong angle shows only as a model that answers a little worse.
 */
import { isObject, optional, positive, type Json } from './configValues';

export interface Rope {
  theta: number;
  /** Numbers of each head that are turned, from its first on; the rest pass. */
  dim: number;
  scaling: RopeScaling | null;
}

export type RopeScaling =
  /** All frequencies divided by `factor`. */
  | { type: 'linear'; factor: number }
  /** Frequency bands of Llama 3.1. */
  | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; originalLength: number }
  /** Peng et al., arXiv 2309.00071. `attentionFactor` multiplies cosines and sines. */
  | {
      type: 'yarn';
      factor: number;
      betaFast: number;
      betaSlow: number;
      truncate: boolean;
      originalLength: number;
      attentionFactor: number;
    }
  /** Ding et al., arXiv 2402.13753: a divisor for each frequency, another set past the original length. */
  | {
      type: 'longrope';
      shortFactor: number[];
      longFactor: number[];
      originalLength: number;
      attentionFactor: number;
    };

export interface RopeDefaults {
  theta: number;
  headDim: number;
  contextLength: number;
  /** Phi-3's first configs call longrope `su` or `yarn`. */
  longropeNames: readonly string[];
}

const ANY = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];
const KEYS: Record<string, readonly string[]> = {
  default: [],
  linear: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
  yarn: [
    ...['factor', 'original_max_position_embeddings', 'attention_factor', 'beta_fast', 'beta_slow'],
    ...['mscale', 'mscale_all_dim', 'truncate'],
  ],
  longrope: [
    ...['factor', 'original_max_position_embeddings', 'attention_factor'],
    ...['short_factor', 'long_factor'],
  ],
};

/** `json`: config.json. `own`: its `rope_scaling` or the part of its `rope_parameters` that is meant; null for none. */
export function readRope(json: Json, own: Json | null, defaults: RopeDefaults): Rope {
  const given = own ?? {};
  const theta = positive(
    { rope_theta: given['rope_theta'] ?? json['rope_theta'] },
    'rope_theta',
    defaults.theta,
  );
  const share = given['partial_rotary_factor'] ?? json['partial_rotary_factor'];
  const dim = Math.floor(
    defaults.headDim * positive({ partial_rotary_factor: share }, 'partial_rotary_factor', 1),
  );
  if (dim < 2 || dim > defaults.headDim || dim % 2 !== 0)
    throw new Error(`Rope over ${dim} of ${defaults.headDim} numbers of a head is not supported.`);
  return { theta, dim, scaling: readScaling(json, given, dim, defaults) };
}

function readScaling(json: Json, given: Json, dim: number, defaults: RopeDefaults): RopeScaling | null {
  const named = given['rope_type'] ?? given['type'] ?? 'default';
  const text = typeof named === 'string' ? named : JSON.stringify(named);
  const type = defaults.longropeNames.includes(text) ? 'longrope' : text;
  const known = Object.hasOwn(KEYS, type) ? KEYS[type] : undefined;
  if (!known)
    throw new Error(`The rope scaling ${text} is not supported; ${Object.keys(KEYS).join(', ')} are.`);
  const foreign = Object.keys(given).filter((key) => !ANY.includes(key) && !known.includes(key));
  if (foreign.length > 0)
    throw new Error(`The rope scaling ${text} has ${foreign.join(', ')}, which is not supported.`);
  const originalLength = () =>
    positive(
      {
        original_max_position_embeddings:
          given['original_max_position_embeddings'] ?? json['original_max_position_embeddings'],
      },
      'original_max_position_embeddings',
    );
  switch (type) {
    case 'default':
      return null;
    case 'linear':
      return { type, factor: positive(given, 'factor') };
    case 'llama3':
      return {
        type,
        factor: positive(given, 'factor'),
        lowFreqFactor: positive(given, 'low_freq_factor'),
        highFreqFactor: positive(given, 'high_freq_factor'),
        originalLength: originalLength(),
      };
    case 'yarn': {
      const factor = positive(given, 'factor');
      return {
        type,
        factor,
        betaFast: positive(given, 'beta_fast', 32),
        betaSlow: positive(given, 'beta_slow', 1),
        truncate: given['truncate'] !== false,
        originalLength: originalLength(),
        attentionFactor: optional(given, 'attention_factor') ?? yarnAttention(given, factor),
      };
    }
    default: {
      const length = originalLength();
      const factor = optional(given, 'factor') ?? defaults.contextLength / length;
      const own = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(length));
      return {
        type: 'longrope',
        shortFactor: factors(given, 'short_factor', dim / 2),
        longFactor: factors(given, 'long_factor', dim / 2),
        originalLength: length,
        attentionFactor: optional(given, 'attention_factor') ?? own,
      };
    }
  }
}

/** 0.1 · ln(factor) + 1, or the quotient of two such where DeepSeek's keys are given. */
function yarnAttention(given: Json, factor: number): number {
  const scale = (mscale: number) => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const over = optional(given, 'mscale');
  const under = optional(given, 'mscale_all_dim');
  return over !== null && under !== null ? scale(over) / scale(under) : scale(1);
}

function factors(given: Json, key: string, count: number): number[] {
  const values: unknown = given[key];
  const usable = (value: unknown): value is number =>
    typeof value === 'number' && Number.isFinite(value) && value > 0;
  if (!Array.isArray(values) || values.length !== count || !values.every(usable))
    throw new Error(
      `config.json's ${key} must be ${count} numbers above 0, one for each frequency ` +
        `(found ${Array.isArray(values) ? `${values.length} values` : JSON.stringify(values)}).`,
    );
  return values;
}

/** The parts of config.json that hold rope's numbers: for all layers, and for windowed ones where they have their own. */
export function ropeParts(json: Json): { global: Json | null; local: Json | null } {
  const fresh = isObject(json['rope_parameters']) ? json['rope_parameters'] : null;
  if (fresh && isObject(fresh['full_attention']))
    return {
      global: fresh['full_attention'],
      local: isObject(fresh['sliding_attention']) ? fresh['sliding_attention'] : null,
    };
  return { global: isObject(json['rope_scaling']) ? json['rope_scaling'] : fresh, local: null };
}
