/**
 * Generation for several prompts at once. All prompts are read in one packed row; their keys and values go into one cache per
 * layer in which every sequence owns a stretch of rows; then all sequences grow by a token a step.
 */
import * as tf from '@tensorflow/tfjs-core';
import { scatterRows } from '../ops/pickRows';
import type { KeepKeys } from './decoder';
import { hiddenStates, logitsOf, type Runnable } from './forward';
import { rotaryTables, type RotaryTables } from './rotary';
import { chooseToken, type Sampling } from './sample';
import { disposeSight, makeSight, sightOfDocuments, type Sight } from './sight';

export interface GenerateOptions extends Sampling {
  maxTokens: number;
  stopIds: readonly number[];
  random: () => number;
  /** Asked before every step; true ends the generation. */
  cancelled?: () => boolean;
  /** Receives the raw logits [sequences, vocab] of each step, to be compared with an oracle. */
  onLogits?: (logits: Float32Array) => void;
}

/** Yields, for each step, the new token of every sequence; -1 once a sequence has ended. A stop token is yielded last. */
export async function* generate(
  model: Runnable,
  prompts: readonly Int32Array[],
  options: GenerateOptions,
): AsyncGenerator<Int32Array> {
  const { config } = model;
  if (prompts.some((prompt) => prompt.length === 0)) throw new Error('A prompt is empty.');
  const lengths = prompts.map((prompt) => prompt.length);
  const room = Math.max(...lengths) + options.maxTokens;
  if (room > config.contextLength)
    throw new Error(
      `A prompt of ${Math.max(...lengths)} tokens and ${options.maxTokens} new ones pass the model's ${config.contextLength}.`,
    );
  const width = config.kvHeads * config.headDim;
  const tables = rotaryTables(config, room);
  const caches = Array.from({ length: config.layers }, () => ({
    keys: tf.zeros([prompts.length * room, width]) as tf.Tensor2D,
    values: tf.zeros([prompts.length * room, width]) as tf.Tensor2D,
  }));
  const alive = prompts.map(() => true);

  try {
    let logits = await prefill(model, prompts, caches, room, tables);
    for (let step = 0; step < options.maxTokens && !options.cancelled?.(); step++) {
      options.onLogits?.(logits);
      const next = choose(logits, config.vocab, alive, options);
      yield next;
      next.forEach((id, index) => {
        if (options.stopIds.includes(id)) alive[index] = false;
      });
      if (!alive.some(Boolean) || step + 1 === options.maxTokens) return;
      logits = await decode(model, next, lengths, caches, room, tables);
      lengths.forEach((length, index) => (lengths[index] = length + 1));
    }
  } finally {
    tf.dispose(tables);
    for (const { keys, values } of caches) tf.dispose([keys, values]);
  }
}

interface Cache {
  keys: tf.Tensor2D;
  values: tf.Tensor2D;
}

function choose(logits: Float32Array, vocab: number, alive: boolean[], options: GenerateOptions): Int32Array {
  return Int32Array.from(alive, (living, index) =>
    living ? chooseToken(logits.subarray(index * vocab, (index + 1) * vocab), options, options.random) : -1,
  );
}

/** → logits of the last token of every prompt */
async function prefill(
  model: Runnable,
  prompts: readonly Int32Array[],
  caches: Cache[],
  room: number,
  tables: RotaryTables,
): Promise<Float32Array> {
  const count = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
  const ids = new Int32Array(count);
  const starts = new Int32Array(count);
  const at = new Int32Array(count);
  const ends: number[] = [];
  let offset = 0;
  prompts.forEach((prompt, index) => {
    ids.set(prompt, offset);
    starts.fill(offset, offset, offset + prompt.length);
    for (let i = 0; i < prompt.length; i++) at[offset + i] = index * room + i;
    offset += prompt.length;
    ends.push(offset - 1);
  });
  const sight = sightOfDocuments(model.config, starts, tables);
  const store = (places: tf.Tensor1D) => (layer: number) => {
    const keep: KeepKeys = (keys, values) => {
      append(caches[layer], keys, values, places);
      return [keys, values];
    };
    return keep;
  };
  return run(model, ids, sight, at, store, ends);
}

async function decode(
  model: Runnable,
  tokens: Int32Array,
  lengths: readonly number[],
  caches: Cache[],
  room: number,
  tables: RotaryTables,
): Promise<Float32Array> {
  const count = tokens.length;
  const ids = tokens.map((id) => Math.max(0, id));
  const at = Int32Array.from(lengths, (length, index) => index * room + Math.min(length, room - 1));
  const positions = Int32Array.from(lengths, (length) => Math.min(length, room - 1));
  const sight = makeSight(model.config, tables, (window) => {
    const ranges = new Int32Array(3 * count);
    at.forEach((last, index) => {
      ranges[index] = window === null ? index * room : Math.max(index * room, last - window + 1);
      ranges[count + index] = last;
    });
    return { positions, ranges };
  });
  const store = (places: tf.Tensor1D) => (layer: number) => {
    const keep: KeepKeys = (keys, values) => append(caches[layer], keys, values, places);
    return keep;
  };
  return run(model, ids, sight, at, store, null);
}

function append(
  cache: Cache | undefined,
  keys: tf.Tensor,
  values: tf.Tensor,
  at: tf.Tensor1D,
): [tf.Tensor, tf.Tensor] {
  if (!cache) throw new Error('A layer has no cache.');
  cache.keys = scatterRows(cache.keys, keys, at);
  cache.values = scatterRows(cache.values, values, at);
  return [cache.keys, cache.values];
}

/** `rows`: the rows whose logits are wanted, null for all. */
async function run(
  model: Runnable,
  ids: Int32Array,
  sight: Sight,
  at: Int32Array,
  store: (places: tf.Tensor1D) => (layer: number) => KeepKeys,
  rows: number[] | null,
): Promise<Float32Array> {
  const idTensor = tf.tensor1d(ids, 'int32');
  const places = tf.tensor1d(at, 'int32');
  const hidden = hiddenStates(model, idTensor, sight, store(places));
  const logits = tf.tidy(() => {
    if (!rows) return logitsOf(model, hidden);
    const wanted = tf.gather(hidden, tf.tensor1d(rows, 'int32'));
    return logitsOf(model, wanted);
  });
  const values = Float32Array.from(await logits.data());
  tf.dispose([idTensor, places, hidden, logits]);
  disposeSight(sight);
  return values;
}
