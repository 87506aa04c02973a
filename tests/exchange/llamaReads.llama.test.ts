/**
 * The same GGUF file read by llama.cpp and by us gives the same next-token log-probabilities, in every encoding. The weights are
 * random blocks, so that every bit of a block matters.
 */
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Encoding } from '../../src/checkpoint/checkpoint';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import type { GgufValue } from '../../src/checkpoint/gguf/writer';
import { float32ToFloat16Bits } from '../../src/checkpoint/halfFloat';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { BLOCKS } from '../../src/checkpoint/rows';
import { sourceOf } from '../../src/checkpoint/source';
import { ggufTokenizer } from '../../src/exchange/ggufTokenizer';
import { startEngine } from '../../src/gpu/backend';
import { readConfig } from '../../src/model/config';
import { randomFrom } from '../../src/random';
import { float32ToBfloat16Bits } from '../checkpoint/bfloat16';
import { ggufFile, type BlockTensor } from '../checkpoint/ggufFile';
import { fixture } from './fixtures';
import { exactLlama } from './realLlama';
import { largestDifference, logSoftmax, ourLogits, theirLogProbabilities } from './nextToken';

const HIDDEN = 256;
const FFN = 512;
const HEADS = 4;
const KV_HEADS = 2;
const LAYERS = 2;
const VOCAB = 384;
const IDS = [1, 100, 37, 250, 250, 8, 371, 42, 19, 300, 77, 5];

/** Where a block keeps its f16 scales, and what they must be for weights of a spread near 0.04 around zero. */
const SCALES: Partial<Record<Encoding, [at: number, value: number][]>> = {
  Q8_0: [[0, 5e-4]],
  Q4_0: [[0, 0.009]],
  Q4_1: [
    [0, 0.009],
    [2, -7.5 * 0.009],
  ],
  Q5_0: [[0, 0.0045]],
  Q5_1: [
    [0, 0.0045],
    [2, -15.5 * 0.0045],
  ],
  Q4_K: [
    [0, 2.4e-4],
    [2, 7.5 * 2.4e-4],
  ],
  Q5_K: [
    [0, 1.2e-4],
    [2, 15.5 * 1.2e-4],
  ],
  Q6_K: [[208, 3e-5]],
};

function randomBytes(count: number, encoding: Encoding, random: () => number): Uint8Array {
  const plain = () => Float32Array.from({ length: count }, () => (random() - 0.5) * 0.14);
  const bytesOf = (array: Float32Array | Uint16Array) => new Uint8Array(array.buffer);
  if (encoding === 'F32') return bytesOf(plain());
  if (encoding === 'F16') return bytesOf(float32ToFloat16Bits(plain()));
  if (encoding === 'BF16') return bytesOf(float32ToBfloat16Bits(plain()));
  const { numbers, bytes: size } = BLOCKS[encoding];
  const bytes = Uint8Array.from({ length: (count / numbers) * size }, () => Math.floor(random() * 256));
  for (let block = 0; block < count / numbers; block++)
    for (const [at, value] of SCALES[encoding] ?? []) {
      const half = float32ToFloat16Bits(Float32Array.of(value * (0.8 + 0.4 * random())));
      bytes.set(new Uint8Array(half.buffer), block * size + at);
      if (encoding === 'Q4_K' || encoding === 'Q5_K') evenMinima(bytes, block * size + 4, random);
    }
  return bytes;
}

/** Random 6-bit scales, each minimum the same number as its scale, so that weights lie around zero as they do in a model. */
function evenMinima(bytes: Uint8Array, at: number, random: () => number): void {
  const scales = Array.from({ length: 8 }, () => Math.floor(random() * 64));
  for (let j = 0; j < 4; j++) {
    const [low = 0, high = 0] = [scales[j], scales[j + 4]];
    bytes[at + j] = bytes[at + j + 4] = low | ((high >> 4) << 6);
    bytes[at + j + 8] = (high & 15) | ((high & 15) << 4);
  }
}

/** `encoding` of all matrices, or of the embedding alone. */
function modelFile(encoding: Encoding, only: 'embedding' | 'all'): Uint8Array<ArrayBuffer> {
  const random = randomFrom(17);
  const matrix = (name: string, rows: number, width: number): BlockTensor => {
    const own = only === 'all' || name === 'token_embd' ? encoding : 'F32';
    const bytes = randomBytes(rows * width, own, random);
    return { name: `${name}.weight`, shape: [rows, width], encoding: own, bytes };
  };
  const norm = (name: string): BlockTensor => {
    const gains = Float32Array.from({ length: HIDDEN }, () => 0.8 + 0.4 * random());
    return { name: `${name}.weight`, shape: [HIDDEN], encoding: 'F32', bytes: new Uint8Array(gains.buffer) };
  };
  const head = HIDDEN / HEADS;
  const layers = Array.from({ length: LAYERS }, (_, i) => [
    norm(`blk.${i}.attn_norm`),
    norm(`blk.${i}.ffn_norm`),
    matrix(`blk.${i}.attn_q`, HIDDEN, HIDDEN),
    matrix(`blk.${i}.attn_k`, KV_HEADS * head, HIDDEN),
    matrix(`blk.${i}.attn_v`, KV_HEADS * head, HIDDEN),
    matrix(`blk.${i}.attn_output`, HIDDEN, HIDDEN),
    matrix(`blk.${i}.ffn_gate`, FFN, HIDDEN),
    matrix(`blk.${i}.ffn_up`, FFN, HIDDEN),
    matrix(`blk.${i}.ffn_down`, HIDDEN, FFN),
  ]).flat();
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const pairs = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['llama.block_count', u32(LAYERS)],
    ['llama.context_length', u32(512)],
    ['llama.embedding_length', u32(HIDDEN)],
    ['llama.feed_forward_length', u32(FFN)],
    ['llama.attention.head_count', u32(HEADS)],
    ['llama.attention.head_count_kv', u32(KV_HEADS)],
    ['llama.rope.dimension_count', u32(head)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'f32', value: 1e-5 }],
    ...ggufTokenizer(fixture('llama').assets),
  ]);
  const outside = [matrix('token_embd', VOCAB, HIDDEN), matrix('output', VOCAB, HIDDEN), norm('output_norm')];
  return ggufFile(pairs, [...outside, ...layers]);
}

async function ours(bytes: Uint8Array<ArrayBuffer>): Promise<number[][]> {
  const checkpoint = await openCheckpoint([fileInMemory('m.gguf', bytes)], new Map());
  return (await ourLogits(readConfig(checkpoint.config), sourceOf(checkpoint), IDS)).map(logSoftmax);
}

const real = exactLlama();
beforeAll(async () => {
  await startEngine({ backend: 'cpu' });
});

const PLAIN = ['F32', 'F16', 'BF16'] as const;
const QUANTISED = ['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q4_K', 'Q5_K', 'Q6_K'] as const;

/** The largest difference of any log-probability; both must say something, far from the same for every token. */
async function difference(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<number> {
  const [we, they] = [
    await ours(bytes),
    await theirLogProbabilities(real.llama, join(real.folder, name), bytes, IDS),
  ];
  const sixth = we[5] ?? [];
  expect(Math.max(...sixth) - Math.min(...sixth)).toBeGreaterThan(2);
  return largestDifference(we, they);
}

it.each([...PLAIN, ...QUANTISED])('%s: an embedding is the same numbers to both', async (encoding) => {
  const file = modelFile(encoding, 'embedding');
  expect(await difference(file, `${encoding}-embedding.gguf`)).toBeLessThan(1e-5);
});

it.for([...PLAIN, ...QUANTISED])('%s: both give the same log-probabilities', async (encoding, { skip }) => {
  if (encoding !== 'F32' && real.rounds !== null) skip(real.rounds);
  // 1e-6 to 2e-6 was measured
  expect(await difference(modelFile(encoding, 'all'), `${encoding}.gguf`)).toBeLessThan(1e-4);
});
