/**
 * Broken and hostile GGUF, MLX and sharded files: each is refused with its reason before anything is made of it. Then mutants: none
 * crashes a reader, and one that is accepted says the same when its header is written out again.
 */
import { describe, expect, it } from 'vitest';
import { fileInMemory, type FileBytes } from '../../src/checkpoint/fileBytes';
import { readGgufHeader } from '../../src/checkpoint/gguf/container';
import { Metadata } from '../../src/checkpoint/gguf/metadata';
import { tokenizerTexts } from '../../src/checkpoint/gguf/tokenizer';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { FormatError, readSafetensors, writeSafetensors } from '../../src/checkpoint/safetensors';
import { randomFrom } from '../../src/random';
import { ggufFile, type BlockTensor } from './ggufFile';

const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const text = (value: string): GgufValue => ({ type: 'string', value });
const TOKENS = ['<unk>', '<s>', '</s>', 'a', 'b', 'ab', 'Ġ', 'Ġa'];

function keys(changes: Record<string, GgufValue | null> = {}): Map<string, GgufValue> {
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

const tensor = (name: string, shape: number[], bytes: number, encoding: BlockTensor['encoding'] = 'F32') => ({
  name,
  shape,
  encoding,
  bytes: new Uint8Array(bytes).fill(1),
});
const EMBEDDING = tensor('token_embd.weight', [8, 32], 8 * 32 * 4);
const QUERY = tensor('blk.0.attn_q.weight', [32, 32], 32 * 34, 'Q8_0');
const good = () => ggufFile(keys(), [EMBEDDING, QUERY]);
const openBytes = (bytes: Uint8Array<ArrayBuffer>) =>
  openCheckpoint([fileInMemory('m.gguf', bytes)], new Map());

/** The good file with `write` done to it at the first place where `marker` stands. */
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

/** An MLX matrix [4, 64] of 4 bits in groups of 32, as bytes of a safetensors file. */
function mlxFile(changes: Record<string, object> = {}): Uint8Array<ArrayBuffer> {
  const header: Record<string, object> = {
    'a.weight': { dtype: 'U32', shape: [4, 8], data_offsets: [0, 128] },
    'a.scales': { dtype: 'F16', shape: [4, 2], data_offsets: [128, 144] },
    'a.biases': { dtype: 'F16', shape: [4, 2], data_offsets: [144, 160] },
    ...changes,
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + 160);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

describe('MLX', () => {
  const openMlx = (quantization: unknown, bytes = mlxFile()) =>
    openCheckpoint(
      [fileInMemory('model.safetensors', bytes)],
      new Map([['config.json', JSON.stringify({ quantization })]]),
    );
  it('becomes one tensor of its true width', async () => {
    const { tensors } = await openMlx({ bits: 4, group_size: 32 });
    expect([...tensors.keys()]).toEqual(['a.weight']);
    expect(tensors.get('a.weight')).toMatchObject({
      shape: [4, 64],
      encoding: 'MLX4',
      affine: { group: 32 },
    });
  });
  it.each<[string, unknown, Uint8Array<ArrayBuffer> | undefined, RegExp]>([
    ['no quantization', undefined, undefined, /config.json has no "quantization"/],
    ['3 bits', { bits: 3, group_size: 32 }, undefined, /4 or 8 bits/],
    ['groups of 48', { bits: 4, group_size: 48 }, undefined, /groups of 32, 64, 128/],
    ['another mode', { bits: 4, group_size: 32, mode: 'mxfp4' }, undefined, /mode affine/],
    [
      'other groups than it was packed with',
      { bits: 4, group_size: 64 },
      undefined,
      /a.scales is \[4, 2\]; \[4, 1\]/,
    ],
    [
      'other bits than it was packed with',
      { bits: 8, group_size: 32 },
      undefined,
      /a.scales is \[4, 2\]; \[4, 1\]/,
    ],
    ['a false for the layer', { bits: 4, group_size: 32, a: false }, undefined, /quantised as false/],
    [
      'whole numbers as scales',
      { bits: 4, group_size: 32 },
      mlxFile({ 'a.scales': { dtype: 'U8', shape: [4, 4], data_offsets: [128, 144] } }),
      /one kind of float/,
    ],
  ])('%s is refused', async (_, quantization, bytes, reason) => {
    await expect(openMlx(quantization, bytes)).rejects.toThrow(FormatError);
    await expect(openMlx(quantization, bytes)).rejects.toThrow(reason);
  });
});

describe('shards and their index', () => {
  const shard = (...names: string[]) =>
    writeSafetensors(names.map((name) => ({ name, dtype: 'F16', shape: [1], values: Float32Array.of(1) })));
  const openIndexed = (map: unknown, files: Record<string, Uint8Array<ArrayBuffer>>) =>
    openCheckpoint(
      Object.entries(files).map(([name, bytes]) => fileInMemory(name, bytes)),
      new Map([
        ['config.json', '{}'],
        ['model.safetensors.index.json', typeof map === 'string' ? map : JSON.stringify({ weight_map: map })],
      ]),
    );
  const files = {
    'a.safetensors': shard('x', 'y'),
    'b.safetensors': shard('z'),
    'other.safetensors': shard('o'),
  };
  const map = { x: 'a.safetensors', y: 'a.safetensors', z: 'b.safetensors' };
  it('are read as the index says; files it does not name are left alone', async () => {
    const { tensors } = await openIndexed(map, files);
    expect([...tensors].map(([name, { at }]) => [name, at.file.name])).toEqual(Object.entries(map));
  });
  it.each<[string, unknown, RegExp]>([
    ['a missing shard', { ...map, w: 'c.safetensors' }, /names c.safetensors, which is not among the 3/],
    [
      'a tensor that is not there',
      { ...map, w: 'a.safetensors' },
      /says that a.safetensors holds w; it does not/,
    ],
    ['a tensor in another shard', { ...map, y: 'b.safetensors' }, /a.safetensors holds y; the index says b/],
    ['a tensor it does not list', { x: 'a.safetensors' }, /holds y; the index does not list it/],
    ['a path', { x: '../../etc/passwd' }, /a file name is needed/],
    ['no map', 'null', /has no "weight_map"/],
    ['a name twice', '{"weight_map":{"x":"a.safetensors","x":"b.safetensors"}}', /"x" occurs twice/],
  ])('%s is refused', async (_, wrong, reason) => {
    await expect(openIndexed(wrong, files)).rejects.toThrow(reason);
  });
});

/** Seeded damage: bytes flipped, runs overwritten with extremes, pieces copied, cut or doubled. */
function mutant(original: Uint8Array, random: () => number): Uint8Array<ArrayBuffer> {
  let bytes = original.slice();
  const place = () => Math.floor(random() * bytes.length);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) {
    const kind = Math.floor(random() * 6);
    if (kind === 0) bytes[place()] = Math.floor(random() * 256);
    if (kind === 1) bytes.fill(random() < 0.5 ? 0 : 255, place(), place() + 1 + Math.floor(random() * 8));
    if (kind === 2) bytes.copyWithin(place(), place(), place());
    if (kind === 3) bytes = bytes.slice(0, place());
    if (kind === 4) {
      const at = place();
      bytes = new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at - Math.floor(random() * 40))]);
    }
    if (kind === 5 && bytes.length > 0)
      bytes[place()] = (bytes[place()] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return bytes;
}

/** Runs `read` on mutants; counts what is accepted. Anything but a FormatError, or more than 2 s, fails. */
function tryMutants(
  original: Uint8Array,
  count: number,
  seed: number,
  read: (bytes: Uint8Array<ArrayBuffer>) => void,
): { accepted: number; slowest: number } {
  const random = randomFrom(seed);
  let accepted = 0;
  let slowest = 0;
  for (let i = 0; i < count; i++) {
    const bytes = mutant(original, random);
    const start = performance.now();
    try {
      read(bytes);
      accepted++;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  expect(accepted).toBeLessThan(count);
  expect(accepted).toBeGreaterThan(0); // damage to weights is not seen by a header
  expect(slowest).toBeLessThan(2000);
  return { accepted, slowest };
}

describe('mutants', { timeout: 120_000 }, () => {
  it('4,000 safetensors: an accepted one covers its file and says the same when read out again', () => {
    const original = writeSafetensors(
      [
        { name: 'a', dtype: 'F32', shape: [2, 3], values: new Float32Array(6) },
        { name: 'b', dtype: 'F16', shape: [4], values: new Float32Array(4) },
      ],
      { format: 'pt' },
    );
    tryMutants(original, 4000, 1, (bytes) => {
      const { entries, metadata } = readSafetensors(bytes);
      const start = Math.min(...[...entries.values()].map(({ begin }) => begin));
      const described = Object.fromEntries(
        [...entries.values()].map(({ name, dtype, shape, begin, end }) => [
          name,
          { dtype, shape, data_offsets: [begin - start, end - start] },
        ]),
      );
      const header = Object.keys(metadata).length > 0 ? { __metadata__: metadata, ...described } : described;
      const json = new TextEncoder().encode(JSON.stringify(header));
      const again = new Uint8Array(8 + json.length + (bytes.length - start));
      new DataView(again.buffer).setBigUint64(0, BigInt(json.length), true);
      again.set(json, 8);
      const facts = ({ entries: found, metadata: words }: ReturnType<typeof readSafetensors>) => [
        [...found.values()].map(({ name, dtype, shape, begin, end }) => [name, dtype, shape, end - begin]),
        words,
      ];
      if (entries.size > 0) expect(facts(readSafetensors(again))).toEqual(facts({ entries, metadata }));
    });
  });

  it('4,000 GGUF headers: an accepted one says the same when its tensors are written again', () => {
    tryMutants(good(), 4000, 2, (bytes) => {
      const header = readGgufHeader(bytes);
      const tensors = [...header.tensors.values()];
      // written again by the tests' writer, at the usual alignment and with the usual keys
      const again = readGgufHeader(
        ggufFile(
          keys(),
          tensors.map(({ name, shape, encoding, begin, end }) => ({
            name,
            shape,
            encoding,
            bytes: bytes.slice(begin, end),
          })),
        ),
      );
      const facts = (list: typeof tensors) =>
        list.map(({ name, shape, encoding, begin, end }) => [name, shape, encoding, end - begin]);
      expect(facts([...again.tensors.values()])).toEqual(facts(tensors));
      for (const { end } of tensors) expect(end).toBeLessThanOrEqual(bytes.length);
    });
  });

  it('4,000 tokenizers in GGUF: an accepted one has every id once and within the embedding', () => {
    tryMutants(ggufFile(keys(), [EMBEDDING]), 4000, 3, (bytes) => {
      const texts = tokenizerTexts(new Metadata(readGgufHeader(bytes).pairs), 8);
      const made = JSON.parse(texts.get('tokenizer.json') ?? '') as {
        model: { vocab: Record<string, number>; merges: [string, string][] };
      };
      const ids = Object.values(made.model.vocab);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of ids) expect(Number.isInteger(id) && id >= 0 && id < 8).toBe(true);
      for (const [left, right] of made.model.merges) expect(made.model.vocab[left + right]).toBeDefined();
    });
  });
});
