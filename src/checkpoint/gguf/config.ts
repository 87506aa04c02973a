/** config.json made from the keys of a GGUF file, for the architectures llama (Mistral too), qwen2 and qwen3. */
import { FormatError } from '../safetensors';
import type { Metadata } from './metadata';
import { scalingFromDivisors } from './ropeScaling';

const ARCHITECTURES: Record<string, { name: string; type: string }> = {
  llama: { name: 'LlamaForCausalLM', type: 'llama' },
  qwen2: { name: 'Qwen2ForCausalLM', type: 'qwen2' },
  qwen3: { name: 'Qwen3ForCausalLM', type: 'qwen3' },
};

/** What the tensors say that no key does. */
export interface GgufFacts {
  /** Rows of the embedding. */
  vocab: number;
  /** There is no output matrix. */
  tied: boolean;
  /** Query layers have a bias. */
  attentionBias: boolean;
  /** rope_freqs.weight, where the file has it. */
  ropeDivisors: Float32Array | null;
}

export function configFromGguf(metadata: Metadata, facts: GgufFacts): Record<string, unknown> {
  const kind = metadata.string('general.type') ?? 'model';
  if (kind !== 'model') throw new FormatError(`The GGUF file is of the type ${kind}; a model is needed.`);
  const architecture = metadata.string('general.architecture') ?? '(none named)';
  const known = Object.hasOwn(ARCHITECTURES, architecture) ? ARCHITECTURES[architecture] : undefined;
  if (!known)
    throw new FormatError(
      `The GGUF architecture ${architecture} is not read; ${Object.keys(ARCHITECTURES).join(', ')} are.`,
    );
  const key = (name: string) => `${architecture}.${name}`;
  const experts = metadata.number(key('expert_count')) ?? 0;
  if (experts > 0)
    throw new FormatError(`The model has ${experts} experts a layer; models of experts are not read.`);
  const heads = metadata.size(key('attention.head_count'));
  const hidden = metadata.size(key('embedding_length'));
  const theta = metadata.number(key('rope.freq_base')) ?? 10_000;
  const headDim = metadata.number(key('attention.key_length')) ?? hidden / heads;
  const turned = metadata.number(key('rope.dimension_count')) ?? headDim;
  if (turned !== headDim)
    throw new FormatError(`${turned} of ${headDim} numbers of a head are turned by rope; all must be.`);
  return {
    architectures: [known.name],
    model_type: known.type,
    vocab_size: facts.vocab,
    hidden_size: hidden,
    num_hidden_layers: metadata.size(key('block_count')),
    num_attention_heads: heads,
    num_key_value_heads: metadata.number(key('attention.head_count_kv')) ?? heads,
    head_dim: headDim,
    intermediate_size: metadata.size(key('feed_forward_length')),
    hidden_act: 'silu',
    rms_norm_eps: shortest(epsilon(metadata, key('attention.layer_norm_rms_epsilon'))),
    rope_theta: shortest(theta),
    rope_scaling: ropeScaling(metadata, key, facts, theta),
    max_position_embeddings: metadata.size(key('context_length')),
    tie_word_embeddings: facts.tied,
    attention_bias: facts.attentionBias,
    ...tokenIds(metadata),
  };
}

function epsilon(metadata: Metadata, key: string): number {
  const value = metadata.number(key);
  if (value === undefined || !(value > 0))
    throw new FormatError(`${key} is ${String(value)}; it must be above 0.`);
  return value;
}

/** The f32 of the file as people wrote it: 1e-5 rather than 0.000009999999747378752. */
function shortest(value: number): number {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
}

function ropeScaling(
  metadata: Metadata,
  key: (name: string) => string,
  { ropeDivisors }: GgufFacts,
  theta: number,
): Record<string, unknown> | null {
  const original = metadata.number(key('rope.scaling.original_context_length'));
  if (ropeDivisors) return { ...scalingFromDivisors(ropeDivisors, theta, original) };
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
