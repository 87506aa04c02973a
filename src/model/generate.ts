/**
 * Generation for several prompts at once. All prompts are read in one packed row; their keys and values go into one cache per
 * layer in which every sequence owns a stretch of rows; then all sequences grow by a token a step. Tokens are chosen on the device
 * and go into the next step there; the page reads them some steps behind, so that the device never waits for it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu } from '../gpu/inside';
import { orderFreeBuffers } from '../gpu/tensors';
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
  /** Receives the raw logits [sequences that are computed, vocab] of each step, to be compared with an oracle. */
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
  const coming: { rows: number[]; read: Promise<Float32Array> }[] = [];
  const alive = prompts.map(() => true);
  /** The sequences that are computed, in the order of their rows. */
  let rows = prompts.map((_, index) => index);
  const computed = () => rows.map((index) => ({ index, length: lengths[index] ?? 0 }));
  let ids: tf.Tensor | null = null;
  let begun = 0;

  try {
    if (tf.getBackend() === 'webgpu') {
      // both kinds of step, so that what they need is made at once and not one after the other
      const rehearsal = rehearse(() => {
        const first = prefill(model, prompts, caches, room, tables);
        const next = sampleToken(first, new Array<number>(prompts.length).fill(0), options);
        if (maxTokens > 1) decode(model, next, computed(), caches, room, tables);
      });
      await rehearsal.ready(() => undefined);
    }
    for (let at = 0; at < maxTokens; at++) {
      for (; begun < maxTokens && begun <= at + ahead && !cancelled?.(); begun++) {
        if (ids) [ids, rows] = withoutEnded(ids, rows, alive);
        const own = computed();
        const logits: tf.Tensor = ids
          ? decode(model, ids, own, caches, room, tables)
          : prefill(model, prompts, caches, room, tables);
        if (ids) for (const { index, length } of own) lengths[index] = length + 1;
        onLogits?.(Float32Array.from(await logits.data()));
        ids?.dispose();
        const draws = prompts.map(random);
        ids = sampleToken(
          logits,
          rows.map((index) => draws[index] ?? 0),
          options,
        );
        logits.dispose();
        coming.push({ rows, read: ring.read([tf.clone(ids)]) });
        if (tf.getBackend() === 'webgpu') orderFreeBuffers();
      }
      const step = coming.shift();
      if (!step) return;
      const next = new Int32Array(prompts.length).fill(-1);
      (await step.read).forEach((id, row) => {
        const index = step.rows[row] ?? -1;
        if (alive[index]) next[index] = id;
      });
      yield next;
      next.forEach((id, index) => {
        if (stopIds.includes(id)) alive[index] = false;
      });
      if (!alive.some(Boolean)) return;
    }
  } finally {
    await Promise.allSettled(coming.map(({ read }) => read));
    ring.dispose();
    ids?.dispose();
    tf.dispose(tables);
    for (const { keys, values } of caches) tf.dispose([keys, values]);
  }
}

/**
 * The ids and sequences of the next step. Ended ones are left out once no more than half are left: a step then costs less, and for
 * every number of rows kernels are compiled. Disposes of `ids` where it gives others.
 */
function withoutEnded(
  ids: tf.Tensor,
  rows: number[],
  alive: readonly boolean[],
): [ids: tf.Tensor, rows: number[]] {
  const left = rows.filter((index) => alive[index]);
  if (left.length > rows.length / 2) return [ids, rows];
  const places = left.map((index) => rows.indexOf(index));
  const kept = tf.tidy(() => tf.gather(ids, tf.tensor1d(places, 'int32')));
  ids.dispose();
  return [kept, left];
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

/** `sequences`: those of `ids`, each with how many keys it has in its stretch of the cache. */
function decode(
  model: Runnable,
  ids: tf.Tensor,
  sequences: readonly { index: number; length: number }[],
  caches: Cache[],
  room: number,
  tables: RotaryTables,
): tf.Tensor {
  const count = sequences.length;
  const positions = Int32Array.from(sequences, ({ length }) => Math.min(length, room - 1));
  const begins = Int32Array.from(sequences, ({ index }) => index * room);
  const at = begins.map((begin, row) => begin + (positions[row] ?? 0));
  const sight = makeSight(model.config, tables, (window) => {
    const ranges = new Int32Array(3 * count);
    at.forEach((last, row) => {
      const begin = begins[row] ?? 0;
      ranges[row] = window === null ? begin : Math.max(begin, last - window + 1);
      ranges[count + row] = last;
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
