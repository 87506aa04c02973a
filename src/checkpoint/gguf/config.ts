/** config.json made from the keys of a GGUF file. What only one architecture has is in architectures.ts. */
import { FormatError } from '../safetensors';
import { GGUF_ARCHITECTURES, type GgufArchitecture, type GgufFacts } from './architectures';
import type { Metadata } from './metadata';
import { scalingFromDivisors } from './ropeScaling';
import { shortest } from './shortest';

/** Throws for a file that is no model, or of an architecture that is not read. */
export function architectureOf(metadata: Metadata): { id: string; architecture: GgufArchitecture } {
  const kind = metadata.string('general.type') ?? 'model';
  if (kind !== 'model') throw new FormatError(`The GGUF file is of the type ${kind}; a model is needed.`);
  const id = metadata.string('general.architecture') ?? '(none named)';
  const architecture = Object.hasOwn(GGUF_ARCHITECTURES, id) ? GGUF_ARCHITECTURES[id] : undefined;
  if (!architecture)
    throw new FormatError(
      `The GGUF architecture ${id} is not read; ${Object.keys(GGUF_ARCHITECTURES).join(', ')} are.`,
    );
  return { id, architecture };
}

export function configFromGguf(metadata: Metadata, facts: GgufFacts): Record<string, unknown> {
  const { id, architecture } = architectureOf(metadata);
  const key = (name: string) => `${id}.${name}`;
  const experts = metadata.number(key('expert_count')) ?? 0;
  if (experts > 0)
    throw new FormatError(`The model has ${experts} experts a layer; models of experts are not read.`);
  const heads = metadata.size(key('attention.head_count'));
  const hidden = metadata.size(key('embedding_length'));
  const theta = metadata.number(key('rope.freq_base')) ?? 10_000;
  const headDim = metadata.number(key('attention.key_length')) ?? hidden / heads;
  const turned = metadata.number(key('rope.dimension_count')) ?? headDim;
  if (turned !== headDim && id !== 'phi3')
    throw new FormatError(`${turned} of ${headDim} numbers of a head are turned by rope; all must be.`);
  const layers = metadata.size(key('block_count'));
  const contextLength = metadata.size(key('context_length'));
  return {
    architectures: [architecture.name],
    model_type: architecture.type,
    vocab_size: facts.vocab,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: metadata.number(key('attention.head_count_kv')) ?? heads,
    head_dim: headDim,
    intermediate_size: metadata.size(key('feed_forward_length')),
    rms_norm_eps: shortest(epsilon(metadata, key('attention.layer_norm_rms_epsilon'))),
    rope_theta: shortest(theta),
    rope_scaling: ropeScaling(metadata, key, facts, theta),
    max_position_embeddings: contextLength,
    tie_word_embeddings: facts.tied,
    attention_bias: facts.attentionBias,
    ...architecture.own(metadata, key, { hidden, layers, heads, headDim, turned, contextLength }, facts),
    ...tokenIds(metadata),
  };
}

function epsilon(metadata: Metadata, key: string): number {
  const value = metadata.number(key);
  if (value === undefined || !(value > 0))
    throw new FormatError(`${key} is ${String(value)}; it must be above 0.`);
  return value;
}

function ropeScaling(
  metadata: Metadata,
  key: (name: string) => string,
  { ropeFactors }: GgufFacts,
  theta: number,
): Record<string, unknown> | null {
  const original = metadata.number(key('rope.scaling.original_context_length'));
  const divisors = ropeFactors.get('rope_freqs');
  if (divisors) return { ...scalingFromDivisors(divisors, theta, original) };
  const type = metadata.string(key('rope.scaling.type')) ?? 'none';
  if (type === 'none') return null;
  return {
    rope_type: type,
    factor: metadata.number(key('rope.scaling.factor')),
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
  };
}

function tokenIds(metadata: Metadata): Record<string, unknown> {
  const id = (role: string) => metadata.number(`tokenizer.ggml.${role}_token_id`);
  const ends = [id('eos'), id('eot')].filter((value) => value !== undefined);
  const [only] = ends;
  return {
    ...(id('bos') === undefined ? {} : { bos_token_id: id('bos') }),
    ...(only === undefined ? {} : { eos_token_id: new Set(ends).size === 1 ? only : [...new Set(ends)] }),
  };
}
