/**
 * A model of Hugging Face's form as GGUF, by the rules of llama.cpp's converter (conversion/*.py, tensor_mapping.py) and of its
 * quantiser where a row does not hold whole blocks. Shares nothing with the product's reader or its exporter but the container.
 */
import type { Encoding } from '../../src/checkpoint/checkpoint';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { BLOCKS } from '../../src/checkpoint/rows';
import type { WeightSource } from '../../src/checkpoint/source';
import { ggufFile, type BlockTensor } from './ggufFile';
import { plain, quantise } from './quantise';

export type Architecture = 'llama' | 'smollm3' | 'phi3' | 'gemma3';
export type Json = Record<string, unknown>;

export interface TokenizerKeys {
  pairs: [string, GgufValue][];
  lists: ReadonlyMap<string, Float32Array>;
}

export interface Converted {
  file: Uint8Array<ArrayBuffer>;
  /** By Hugging Face's names: the numbers that the file's bytes stand for, worked out while they were written. */
  values: Map<string, Float32Array>;
}

const PARTS: Record<string, string> = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
};
const GEMMA_PARTS: Record<string, string> = {
  ...PARTS,
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};

function ggufName(name: string, architecture: Architecture): string {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight';
  if (name === 'model.norm.weight') return 'output_norm.weight';
  if (name === 'lm_head.weight') return 'output.weight';
  const [, layer, part = '', kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const parts = architecture === 'gemma3' ? GEMMA_PARTS : PARTS;
  return `blk.${layer}.${parts[part]}.${kind}`;
}

/** `json`: config.json. Matrices become `encoding` where their rows hold whole blocks, else F16; vectors stay F32. */
export async function convertToGguf(
  json: Json,
  architecture: Architecture,
  source: WeightSource,
  tokenizer: TokenizerKeys,
  encoding: Encoding,
): Promise<Converted> {
  const values = new Map<string, Float32Array>();
  const tensors: BlockTensor[] = [];
  const heads = size(json, 'num_attention_heads');
  for (const name of source.names()) {
    const shape = source.shape(name);
    const given = await source.read(name);
    const whole = architecture === 'gemma3' && name.endsWith('norm.weight');
    const stored = whole ? given.map((gain) => gain + 1) : given;
    const own = encodingOf(shape, encoding);
    const quantised = shape.length === 1 ? plain(stored, 'F32') : quantise(stored, own);
    values.set(name, whole ? quantised.values.map((gain) => gain - 1) : quantised.values);
    const turned = ['llama', 'smollm3'].includes(architecture)
      ? /([qk])_proj\.(weight|bias)$/.exec(name)
      : null;
    const shared = turned?.[1] === 'k' ? size(json, 'num_key_value_heads') : heads;
    const bytes = turned ? permuted(quantised.bytes, shape[0] ?? 0, shared) : quantised.bytes;
    tensors.push({
      name: ggufName(name, architecture),
      shape,
      encoding: shape.length === 1 ? 'F32' : own,
      bytes,
    });
  }
  const scaling = json['rope_scaling'];
  if (architecture === 'phi3' && isObject(scaling))
    for (const which of ['long', 'short']) {
      const given = scaling[`${which}_factor`];
      if (!Array.isArray(given)) continue;
      const factors = Float32Array.from(given as number[]);
      const bytes = new Uint8Array(factors.buffer);
      tensors.push({ name: `rope_factors_${which}.weight`, shape: [factors.length], encoding: 'F32', bytes });
    }
  const pairs = new Map<string, GgufValue>([...keysOf(json, architecture), ...tokenizer.pairs]);
  return { file: ggufFile(pairs, tensors, tokenizer.lists), values };
}

function encodingOf([, width]: number[], wished: Encoding): Encoding {
  return (width ?? 1) % BLOCKS[wished].numbers === 0 ? wished : 'F16';
}

/** weights.reshape(heads, 2, rows / heads / 2, …).swapaxes(1, 2) */
function permuted(bytes: Uint8Array, rows: number, heads: number): Uint8Array {
  const each = bytes.length / rows;
  const half = rows / heads / 2;
  const out = new Uint8Array(bytes.length);
  for (let head = 0; head < heads; head++)
    for (let j = 0; j < 2; j++)
      for (let i = 0; i < half; i++) {
        const from = (head * 2 + j) * half + i;
        out.set(bytes.subarray(from * each, (from + 1) * each), ((head * half + i) * 2 + j) * each);
      }
  return out;
}

function keysOf(json: Json, architecture: Architecture): [string, GgufValue][] {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const f32 = (value: number): GgufValue => ({ type: 'f32', value });
  const heads = size(json, 'num_attention_heads');
  const hidden = size(json, 'hidden_size');
  const headDim = typeof json['head_dim'] === 'number' ? json['head_dim'] : hidden / heads;
  const context = size(json, 'max_position_embeddings');
  const keys: [string, GgufValue][] = [
    ['context_length', u32(context)],
    ['embedding_length', u32(hidden)],
    ['block_count', u32(size(json, 'num_hidden_layers'))],
    ['feed_forward_length', u32(size(json, 'intermediate_size'))],
    ['attention.head_count', u32(heads)],
    ['attention.head_count_kv', u32(size(json, 'num_key_value_heads'))],
    ['attention.layer_norm_rms_epsilon', f32(size(json, 'rms_norm_eps'))],
    ['rope.freq_base', f32(size(json, 'rope_theta'))],
  ];
  if (architecture === 'llama' || architecture === 'smollm3')
    keys.push(['vocab_size', u32(size(json, 'vocab_size'))], ['rope.dimension_count', u32(headDim)]);
  if (architecture === 'gemma3')
    keys.push(
      ['attention.key_length', u32(headDim)],
      ['attention.value_length', u32(headDim)],
      ['attention.sliding_window', u32(size(json, 'sliding_window'))],
    );
  const scaling = json['rope_scaling'];
  if (isObject(scaling) && scaling['rope_type'] === 'linear')
    keys.push(
      ['rope.scaling.type', { type: 'string', value: 'linear' }],
      ['rope.scaling.factor', f32(size(scaling, 'factor'))],
    );
  if (architecture === 'phi3') {
    const original = size(json, 'original_max_position_embeddings');
    const share = typeof json['partial_rotary_factor'] === 'number' ? json['partial_rotary_factor'] : 1;
    keys.push(
      ['rope.scaling.original_context_length', u32(original)],
      ['rope.dimension_count', u32(Math.floor(share * headDim))],
      [
        'attention.sliding_window',
        u32(typeof json['sliding_window'] === 'number' ? json['sliding_window'] : 0),
      ],
    );
    const scale = context / original;
    if (isObject(scaling))
      keys.push([
        'rope.scaling.attn_factor',
        f32(scale > 1 ? Math.sqrt(1 + Math.log(scale) / Math.log(original)) : 1),
      ]);
  }
  return [
    ['general.architecture', { type: 'string', value: architecture }],
    ['general.type', { type: 'string', value: 'model' }],
    // llama.cpp looks for the tokens of Microsoft's own where the name holds "phi3"
    ['general.name', { type: 'string', value: 'converted' }],
    ...keys.map(([key, value]): [string, GgufValue] => [`${architecture}.${key}`, value]),
  ];
}

function size(json: Json, key: string): number {
  const value = json[key];
  if (typeof value !== 'number') throw new Error(`config.json has no ${key}.`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
