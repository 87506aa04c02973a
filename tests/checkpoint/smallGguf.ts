/** A small GGUF file that opens, and the keys and tensors it is made of, to be broken in one place at a time. */
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { ggufFile, type BlockTensor } from './ggufFile';

export const u32 = (value: number): GgufValue => ({ type: 'u32', value });
export const text = (value: string): GgufValue => ({ type: 'string', value });
export const TOKENS = ['<unk>', '<s>', '</s>', 'a', 'b', 'ab', 'Ġ', 'Ġa'];

export function keys(changes: Record<string, GgufValue | null> = {}): Map<string, GgufValue> {
  const all: Record<string, GgufValue | null> = {
    'general.architecture': text('llama'),
    'llama.block_count': u32(1),
    'llama.context_length': u32(64),
    'llama.embedding_length': u32(32),
    'llama.feed_forward_length': u32(64),
    'llama.attention.head_count': u32(2),
    'llama.attention.head_count_kv': u32(1),
    'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
    'tokenizer.ggml.model': text('gpt2'),
    'tokenizer.ggml.pre': text('llama-bpe'),
    'tokenizer.ggml.tokens': { type: 'strings', value: TOKENS },
    'tokenizer.ggml.token_type': { type: 'i32s', value: [2, 3, 3, 1, 1, 1, 1, 1] },
    'tokenizer.ggml.merges': { type: 'strings', value: ['a b', 'Ġ a'] },
    'tokenizer.ggml.bos_token_id': u32(1),
    ...changes,
  };
  return new Map(
    Object.entries(all).flatMap(([key, value]): [string, GgufValue][] => (value ? [[key, value]] : [])),
  );
}

export const tensor = (
  name: string,
  shape: number[],
  bytes: number,
  encoding: BlockTensor['encoding'] = 'F32',
) => ({
  name,
  shape,
  encoding,
  bytes: new Uint8Array(bytes).fill(1),
});
export const EMBEDDING = tensor('token_embd.weight', [8, 32], 8 * 32 * 4);
export const QUERY = tensor('blk.0.attn_q.weight', [32, 32], 32 * 34, 'Q8_0');
export const good = () => ggufFile(keys(), [EMBEDDING, QUERY]);
export const openBytes = (bytes: Uint8Array<ArrayBuffer>) =>
  openCheckpoint([fileInMemory('m.gguf', bytes)], new Map());

/** The good file with `write` done to it at the first place where `marker` stands. */
