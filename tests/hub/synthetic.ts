/**
 * Checkpoints of true dimensions out of nothing: a safetensors file whose bytes are computed from a seed at any offset, so that
 * nothing large is stored. Norm gains are one, all else comes from a block of small random numbers. Not a trained model.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ServedFile, ServedRepository } from '../../scripts/hubLayout.mjs';
import { readConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';
import { randomFrom } from '../../src/random';
import { float32ToBfloat16Bits } from '../checkpoint/bfloat16';

/** Bytes of the block that repeats; odd in words, so that rows of a matrix differ. */
const BLOCK = 2 * (2 ** 19 - 1);
const PIECE = 2 ** 20;
/** bf16 one. */
const ONE = [0x80, 0x3f];

export interface Synthetic {
  config: Record<string, unknown>;
  /** Small files beside the weights, by name. */
  texts: Record<string, string>;
  seed: number;
  /** Weight files are cut before they pass this size. */
  shardBytes?: number;
  licence?: string;
}

interface Laid {
  name: string;
  shape: number[];
  bytes: number;
}

export function syntheticRepository(made: Synthetic): ServedRepository {
  const shapes = [...weightShapes(readConfig(made.config))].sort(([a], [b]) => (a < b ? -1 : 1));
  const tensors = shapes.map(([name, shape]): Laid => ({
    name,
    shape,
    bytes: 2 * shape.reduce((product, side) => product * side, 1),
  }));
  const shards = shardsOf(tensors, made.shardBytes ?? Infinity);
  const block = randomBlock(made.seed);
  const fileName = (index: number) =>
    shards.length === 1
      ? 'model.safetensors'
      : `model-${five(index + 1)}-of-${five(shards.length)}.safetensors`;
  const weights = shards.map((shard, index) => weightFile(fileName(index), shard, block));
  const texts: Record<string, string> = { 'config.json': JSON.stringify(made.config), ...made.texts };
  if (shards.length > 1) {
    const map = shards.flatMap((shard, index) => shard.map(({ name }) => [name, fileName(index)]));
    texts['model.safetensors.index.json'] = JSON.stringify({
      metadata: {},
      weight_map: Object.fromEntries(map) as Record<string, string>,
    });
  }
  const small = Object.entries(texts).map(([name, text]) => memoryFile(name, Buffer.from(text)));
  const files = [...small, ...weights];
  const commit = createHash('sha1').update(JSON.stringify([texts, made.seed, tensors]));
  return { commit: commit.digest('hex'), files, licence: made.licence ?? 'apache-2.0' };
}

export function memoryFile(name: string, bytes: Buffer): ServedFile {
  return {
    name,
    bytes: bytes.length,
    sha256: null,
    read: (begin, end) => Readable.from([bytes.subarray(begin, end)]),
  };
}

function five(number: number): string {
  return String(number).padStart(5, '0');
}

function shardsOf(tensors: Laid[], most: number): Laid[][] {
  const shards: Laid[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    if (size > 0 && size + tensor.bytes > most) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)?.push(tensor);
    size += tensor.bytes;
  }
  return shards;
}

/** Two of the block in a row, so that any stretch of one block's length is one slice. bf16, uniform with deviation 0.02. */
function randomBlock(seed: number): Buffer {
  const random = randomFrom(seed);
  const values = Float32Array.from({ length: BLOCK / 2 }, () => (random() - 0.5) * 0.02 * Math.sqrt(12));
  const once = Buffer.from(float32ToBfloat16Bits(values).buffer);
  return Buffer.concat([once, once]);
}

function weightFile(name: string, tensors: Laid[], block: Buffer): ServedFile {
  let at = 0;
  const entries = tensors.map(({ name: tensor, shape, bytes }) => {
    const entry = { dtype: 'BF16', shape, data_offsets: [at, at + bytes] };
    at += bytes;
    return [tensor, entry] as const;
  });
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  header.writeBigUInt64LE(BigInt(header.length - 8));
  header.write(json, 8);
  const size = header.length + at;
  const ones = Buffer.alloc(PIECE, Buffer.from(ONE));
  const starts = entries.map(([tensor, { data_offsets }]) => ({
    norm: /norm\.weight$/.test(tensor),
    begin: header.length + (data_offsets[0] ?? 0),
    end: header.length + (data_offsets[1] ?? 0),
  }));

  /** At least one byte from `from` on. */
  const piece = (from: number, to: number): Buffer => {
    if (from < header.length) return header.subarray(from, Math.min(to, header.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle]?.end ?? 0) > from) high = middle;
      else low = middle + 1;
    }
    const tensor = starts[low];
    if (!tensor) throw new Error(`Byte ${from} is in no tensor.`);
    const end = Math.min(to, tensor.end, from + PIECE);
    if (tensor.norm)
      return ones.subarray((from - tensor.begin) % 2, ((from - tensor.begin) % 2) + end - from);
    const start = from % BLOCK;
    return block.subarray(start, start + Math.min(end - from, BLOCK));
  };
  function* pieces(begin: number, end: number): Generator<Buffer> {
    for (let from = begin; from < end;) {
      const next = piece(from, end);
      yield next;
      from += next.length;
    }
  }
  let hash: string | null = null;
  return {
    name,
    bytes: size,
    get sha256() {
      if (hash !== null) return hash;
      const running = createHash('sha256');
      for (const part of pieces(0, size)) running.update(part);
      return (hash = running.digest('hex'));
    },
    read: (begin, end) => Readable.from(pieces(begin, end), { highWaterMark: 4 }),
  };
}
