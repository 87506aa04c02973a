/**
 * Generation for several prompts at once. All prompts are read in one packed row; their keys and values go into one cache per
 * layer in which every sequence owns a stretch of rows; then all sequences grow by a token a step. Tokens are chosen on the device
 * and go into the next step there; the page reads them some steps behind, so that the device never waits for it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu } from '../gpu/dispatch';
import { ReadRing } from '../gpu/readRing';
import { rehearse } from '../gpu/rehearsal';
import { scatterRows } from '../ops/pickRows';
import { sampleToken, type Sampling } from '../ops/sampleToken';
import type { KeepKeys } from './decoder';
import { hiddenStates, logitsOf, type Runnable } from './forward';
import { rotaryTables, type RotaryTables } from './rotary';
import { disposeSight, makeSight, sightOfDocuments, type Sight } from './sight';

export interface GenerateOptions extends Sampling {
  maxTokens: number;
  stopIds: readonly number[];
  /** In [0, 1), drawn once a step for every sequence. */
  random: () => number;
  /** Asked before every step; true ends the generation. */
  cancelled?: () => boolean;
  /** Receives the raw logits [sequences, vocab] of each step, to be compared with an oracle. */
  onLogits?: (logits: Float32Array) => void;
  /** Steps begun before the tokens of an earlier one are read; without it what suits the device. */
  ahead?: number;
}

/**
 * On a graphics card enough to keep it busy while tokens travel. What is begun after a stop token is lost, which costs a processor
 * driver more than it gains.
 */
const suitedAhead = () => (tf.getBackend() === 'webgpu' && !gpu().software ? 3 : 0);

/** Yields, for each step, the new token of every sequence; -1 once a sequence has ended. A stop token is yielded last. */
export async function* generate(
  model: Runnable,
  prompts: readonly Int32Array[],
  options: GenerateOptions,
): AsyncGenerator<Int32Array> {
  const { config } = model;
  const { maxTokens, stopIds, random, cancelled, onLogits } = options;
  if (prompts.some((prompt) => prompt.length === 0)) throw new Error('A prompt is empty.');
  const lengths = prompts.map((prompt) => prompt.length);
  const room = Math.max(...lengths) + maxTokens;
  if (room > config.contextLength)
    throw new Error(
      `A prompt of ${Math.max(...lengths)} tokens and ${maxTokens} new ones pass the model's ${config.contextLength}.`,
    );
  const width = config.kvHeads * config.headDim;
  const tables = rotaryTables(config, room);
  const caches = Array.from({ length: config.layers }, () => ({
    keys: tf.zeros([prompts.length * room, width]) as tf.Tensor2D,
    values: tf.zeros([prompts.length * room, width]) as tf.Tensor2D,
  }));
  const ahead = options.ahead ?? suitedAhead();
  const ring = new ReadRing(prompts.length, ahead + 1);
  const coming: Promise<Float32Array>[] = [];
  const alive = prompts.map(() => true);
  let ids: tf.Tensor | null = null;
  let begun = 0;

  try {
    if (tf.getBackend() === 'webgpu') {
      // both kinds of step, so that what they need is made at once and not one after the other
      const rehearsal = rehearse(() => {
        const first = prefill(model, prompts, caches, room, tables);
        const next = sampleToken(first, new Array<number>(prompts.length).fill(0), options);
        if (maxTokens > 1) decode(model, next, lengths, caches, room, tables);
      });
      await rehearsal.ready(() => undefined);
    }
    for (let step = 0; step < maxTokens; step++) {
      for (; begun < maxTokens && begun <= step + ahead && !cancelled?.(); begun++) {
        const logits: tf.Tensor = ids
          ? decode(model, ids, lengths, caches, room, tables)
          : prefill(model, prompts, caches, room, tables);
        if (ids) lengths.forEach((length, index) => (lengths[index] = length + 1));
        onLogits?.(Float32Array.from(await logits.data()));
        ids?.dispose();
        ids = sampleToken(logits, prompts.map(random), options);
        logits.dispose();
        coming.push(ring.read([tf.clone(ids)]));
      }
      const read = coming.shift();
      if (!read) return;
      const next = Int32Array.from(await read, (id, index) => (alive[index] ? id : -1));
      yield next;
      next.forEach((id, index) => {
        if (stopIds.includes(id)) alive[index] = false;
      });
      if (!alive.some(Boolean)) return;
    }
  } finally {
    await Promise.allSettled(coming);
    ring.dispose();
    ids?.dispose();
    tf.dispose(tables);
    for (const { keys, values } of caches) tf.dispose([keys, values]);
  }
}

interface Cache {
  keys: tf.Tensor2D;
  values: tf.Tensor2D;
}

/** → logits of the last token of every prompt */
function prefill(
  model: Runnable,
  prompts: readonly Int32Array[],
  caches: Cache[],
  room: number,
  tables: RotaryTables,
): tf.Tensor {
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
  const idTensor = tf.tensor1d(ids, 'int32');
  const logits = run(model, idTensor, sight, at, store, ends);
  idTensor.dispose();
  return logits;
}

function decode(
  model: Runnable,
  ids: tf.Tensor,
  lengths: readonly number[],
  caches: Cache[],
  room: number,
  tables: RotaryTables,
): tf.Tensor {
  const count = lengths.length;
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
function run(
  model: Runnable,
  ids: tf.Tensor,
  sight: Sight,
  at: Int32Array,
  store: (places: tf.Tensor1D) => (layer: number) => KeepKeys,
  rows: number[] | null,
): tf.Tensor {
  const places = tf.tensor1d(at, 'int32');
  const hidden = hiddenStates(model, ids, sight, store(places));
  const logits = tf.tidy(() => {
    if (!rows) return logitsOf(model, hidden);
    const wanted = tf.gather(hidden, tf.tensor1d(rows, 'int32'));
    return logitsOf(model, wanted);
  });
  tf.dispose([places, hidden]);
  disposeSight(sight);
  return logits;
}
