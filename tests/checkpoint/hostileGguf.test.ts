/** Broken and hostile GGUF files: each is refused with its reason before anything is made of it. */
import { describe, expect, it } from 'vitest';
import type { FileBytes } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { FormatError } from '../../src/checkpoint/safetensors';
import { ggufFile } from './ggufFile';
import { EMBEDDING, good, keys, openBytes, QUERY, tensor, text, TOKENS, u32 } from './smallGguf';

function patched(marker: string, by: number, write: (view: DataView, at: number) => void) {
  const bytes = good();
  const at = Buffer.from(bytes).indexOf(marker) + by;
  write(new DataView(bytes.buffer), at);
  return bytes;
}
const u64 = (value: bigint) => (view: DataView, at: number) => view.setBigUint64(at, value, true);
const word = (value: number) => (view: DataView, at: number) => view.setUint32(at, value, true);
const afterName = EMBEDDING.name.length;

it('opens the file that the broken ones are made from', async () => {
  const { tensors, config } = await openBytes(good());
  expect([...tensors.keys()]).toEqual([
    'model.embed_tokens.weight',
    'model.layers.0.self_attn.q_proj.weight',
  ]);
  expect(config).toMatchObject({ vocab_size: 8, tie_word_embeddings: true, rms_norm_eps: 1e-5 });
});

describe('a broken GGUF file is refused with its reason', () => {
  const cases: [string, () => Uint8Array<ArrayBuffer>, RegExp][] = [
    ['an empty file', () => new Uint8Array(0), /magic number needs 4 bytes at 0; the file has 0/],
    ['another file', () => new TextEncoder().encode('<!doctype html>'), /does not start with "GGUF"/],
    ['big-endian numbers', () => patched('GGUF', 4, (view, at) => view.setUint32(at, 3)), /version 50331648/],
    ['2^60 tensors', () => patched('GGUF', 8, u64(2n ** 60n)), /past 2\^53/],
    ['more tensors than bytes', () => patched('GGUF', 8, u64(90_000n)), /tensors is 90000; the file has/],
    ['a billion keys', () => patched('GGUF', 16, u64(10n ** 9n)), /keys is 1000000000; at most 10000/],
    ['a key of 2^40 bytes', () => patched('GGUF', 24, u64(2n ** 40n)), /needs 1099511627776 bytes/],
    [
      'a list of 2^53 tokens',
      () => patched('tokenizer.ggml.tokens', 'tokenizer.ggml.tokens'.length + 8, u64(2n ** 52n)),
      /elements of tokenizer.ggml.tokens is 4503599627370496/,
    ],
    [
      'a list of 3 million tokens in a small file',
      () => patched('tokenizer.ggml.tokens', 'tokenizer.ggml.tokens'.length + 8, u64(3_000_000n)),
      /is 3000000; the file has/,
    ],
    [
      'a list of lists',
      () => patched('tokenizer.ggml.tokens', 'tokenizer.ggml.tokens'.length + 4, word(9)),
      /lists hold no lists/,
    ],
    [
      'bad UTF-8',
      () => patched('llama-bpe', 0, (view, at) => view.setUint8(at, 0xff)),
      /tokenizer.ggml.pre at byte \d+ is not valid UTF-8/,
    ],
    [
      'a key twice',
      () => {
        const bytes = ggufFile(keys({ 'llama.one': u32(1), 'llama.two': u32(2) }), [EMBEDDING]);
        bytes.set(new TextEncoder().encode('llama.one'), Buffer.from(bytes).indexOf('llama.two'));
        return bytes;
      },
      /llama.one occurs twice/,
    ],
    ['nine dimensions', () => patched(EMBEDDING.name, afterName, word(9)), /has 9 dimensions/],
    ['no dimensions', () => patched(EMBEDDING.name, afterName, word(0)), /has 0 dimensions/],
    [
      'a product past 2^53',
      () => patched(EMBEDDING.name, afterName + 4, u64(2n ** 50n)),
      /larger than 2\^53 bytes/,
    ],
    ['an empty side', () => patched(EMBEDDING.name, afterName + 12, u64(0n)), /is empty or larger/],
    [
      'an unknown type',
      () => patched(EMBEDDING.name, afterName + 20, word(16)),
      /ggml type 16, which is not read/,
    ],
    ['a removed type', () => patched(EMBEDDING.name, afterName + 20, word(4)), /ggml type 4/],
    [
      'half a block',
      () => ggufFile(keys(), [tensor('token_embd.weight', [8, 48], 1024, 'Q8_0')]),
      /rows of 48; Q8_0 holds whole blocks of 32/,
    ],
    ['overlap', () => patched(QUERY.name, QUERY.name.length + 24, u64(32n)), /begins at 32; expected 1024/],
    [
      'a hole',
      () => patched(QUERY.name, QUERY.name.length + 24, u64(4096n)),
      /begins at 4096; expected 1024/,
    ],
    ['a cut file', () => good().slice(0, -100), /needs \d+ bytes from \d+; the file has/],
    ['bytes after the last tensor', () => new Uint8Array([...good(), 0]), /its tensors end at/],
    ['a tensor twice', () => ggufFile(keys(), [EMBEDDING, EMBEDDING]), /Two tensors are called token_embd/],
    [
      'an alignment of 3',
      () => ggufFile(keys({ 'general.alignment': u32(3) }), [EMBEDDING]),
      /general.alignment is 3; a power of two/,
    ],
    [
      'another architecture',
      () => ggufFile(keys({ 'general.architecture': text('mamba') }), [EMBEDDING]),
      /mamba/,
    ],
    [
      'an inherited name',
      () => ggufFile(keys({ 'general.architecture': text('toString') }), [EMBEDDING]),
      /toString is not read/,
    ],
    [
      'an adapter',
      () => ggufFile(keys({ 'general.type': text('adapter') }), [EMBEDDING]),
      /of the type adapter/,
    ],
    ['experts', () => ggufFile(keys({ 'llama.expert_count': u32(8) }), [EMBEDDING]), /8 experts/],
    [
      'a part of a split model',
      () => ggufFile(keys({ 'split.count': u32(3) }), [EMBEDDING]),
      /one of 3 parts/,
    ],
    ['no embedding', () => ggufFile(keys(), [QUERY]), /no embedding/],
    ['no layers', () => ggufFile(keys({ 'llama.block_count': u32(0) }), [EMBEDDING]), /block_count is 0/],
    [
      'a word for a number',
      () => ggufFile(keys({ 'llama.block_count': text('1') }), [EMBEDDING]),
      /not a number/,
    ],
    [
      'heads that do not share the rows',
      () => ggufFile(keys({ 'llama.attention.head_count': u32(3) }), [EMBEDDING, QUERY]),
      /32 rows, which 3 heads cannot share/,
    ],
    [
      'an unknown tensor',
      () => ggufFile(keys(), [EMBEDDING, tensor('blk.0.ssm_a.weight', [32], 128)]),
      /ssm_a/,
    ],
    [
      'more tokens than rows',
      () =>
        ggufFile(keys({ 'tokenizer.ggml.tokens': { type: 'strings', value: [...TOKENS, 'x'] } }), [
          EMBEDDING,
        ]),
      /9 tokens; the model has 8 embedding rows/,
    ],
    [
      'a token twice',
      () =>
        ggufFile(keys({ 'tokenizer.ggml.tokens': { type: 'strings', value: TOKENS.with(4, 'a') } }), [
          EMBEDDING,
        ]),
      /"a" occurs twice/,
    ],
    [
      'a merge of no tokens',
      () => ggufFile(keys({ 'tokenizer.ggml.merges': { type: 'strings', value: ['b b'] } }), [EMBEDDING]),
      /needs "bb", which is no token/,
    ],
    [
      'a merge of three',
      () => ggufFile(keys({ 'tokenizer.ggml.merges': { type: 'strings', value: ['a b a'] } }), [EMBEDDING]),
      /not two pieces/,
    ],
    [
      'no merges',
      () => ggufFile(keys({ 'tokenizer.ggml.merges': null }), [EMBEDDING]),
      /no tokenizer.ggml.merges/,
    ],
    [
      'an unknown splitting rule',
      () => ggufFile(keys({ 'tokenizer.ggml.pre': text('hyena') }), [EMBEDDING]),
      /rule called hyena/,
    ],
    [
      'an unknown tokenizer',
      () => ggufFile(keys({ 'tokenizer.ggml.model': text('rwkv') }), [EMBEDDING]),
      /of the kind rwkv/,
    ],
    [
      'a special id past the tokens',
      () => ggufFile(keys({ 'tokenizer.ggml.bos_token_id': u32(99) }), [EMBEDDING]),
      /bos_token_id is 99; there are 8/,
    ],
  ];
  it.each(cases)('%s', async (_, make, reason) => {
    const bytes = make();
    await expect(openBytes(bytes)).rejects.toThrow(FormatError);
    await expect(openBytes(bytes)).rejects.toThrow(reason);
  });
});

it('asks a file only for its beginning, whatever it claims', async () => {
  const bytes = patched('GGUF', 24, u64(2n ** 33n));
  let read = 0;
  const huge: FileBytes = {
    name: 'huge.gguf',
    size: 2 ** 34,
    read: (begin, end) => {
      read += end - begin;
      return Promise.resolve(
        new Uint8Array(Math.min(end, 2 ** 21) - begin).fill(0).map((_, i) => bytes[begin + i] ?? 0),
      );
    },
    stream: () => {
      throw new Error('streamed');
    },
  };
  await expect(openCheckpoint([huge], new Map())).rejects.toThrow(
    /more than 8589934\d+ bytes; at most 134217728/,
  );
  expect(read).toBe(2 ** 20);
});
