/**
 * Generation for several prompts at once. All prompts are read in one packed row; their keys and values go into one cache per
 * layer in which every sequence owns a stretch of rows; then all sequences grow by a token a step. Tokens are chosen on the device
 * and go into the next step there; the page reads them some steps behind, so that the device never waits for it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gpu } from '../gpu/inside';
import { ReadRing } from '../gpu/readRing';
import { rehearse } from '../gpu/rehearsal';
import { asChances, sampleToken, type Sampling } from '../ops/sampleToken';
import { DecodeStep } from './decodeStep';
import { hiddenStates, logitsOf, type Runnable } from './forward';
import { makeCaches, splitBeside, type KeyCache } from './keyCache';
import { rotaryTables, type RotaryTables } from './rotary';
import { disposeSight, sightOfDocuments } from './sight';

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
  const tables = rotaryTables(config, room);
  const ahead = options.ahead ?? suitedAhead();
  const ring = new ReadRing(prompts.length, ahead + 1);
  const coming: { rows: number[]; read: Promise<Float32Array> }[] = [];
  const alive = prompts.map(() => true);
  /** The sequences that are computed, in the order of their rows. */
  let rows = prompts.map((_, index) => index);
  const computed = () => rows.map((index) => ({ index, length: lengths[index] ?? 0 }));
  let ids: tf.Tensor | null = null;
  let step: DecodeStep | null = null;
  let begun = 0;
  const drawn = () => {
    const draws = prompts.map(random);
    return rows.map((index) => draws[index] ?? 0);
  };
  let caches: KeyCache[] = [];

  try {
    if (tf.getBackend() === 'webgpu') {
      // both kinds of step, so that what they need is made at once and not one after the other
      const rehearsal = rehearse(() => {
        const own = makeCaches(config, prompts.length * room);
        const zeros = rows.map(() => 0);
        const first = begin(prefill(model, prompts, own, room, tables), zeros, options);
        const next = new DecodeStep(model, own, room, tables, options);
        if (maxTokens > 1) next.run(first.ids, computed(), zeros);
        next.dispose();
      });
      await rehearsal.ready(() => undefined);
    }
    caches = makeCaches(config, prompts.length * room);
    for (let at = 0; at < maxTokens; at++) {
      for (; begun < maxTokens && begun <= at + ahead && !cancelled?.(); begun++) {
        let made: { ids: tf.Tensor; logits: tf.Tensor };
        if (ids) {
          const left = withoutEnded(ids, rows, alive);
          if (left) {
            step?.dispose();
            step = null;
            [ids, rows] = left;
          }
          step ??= new DecodeStep(model, caches, room, tables, options);
          const own = computed();
          made = step.run(ids, own, drawn());
          for (const { index, length } of own) lengths[index] = length + 1;
        } else made = begin(prefill(model, prompts, caches, room, tables), drawn(), options);
        onLogits?.(Float32Array.from(await made.logits.data()));
        if (!ids) made.logits.dispose();
        ids = made.ids;
        coming.push({ rows, read: ring.read([tf.clone(ids)]) });
      }
      const first = coming.shift();
      if (!first) return;
      const next = new Int32Array(prompts.length).fill(-1);
      (await first.read).forEach((id, row) => {
        const index = first.rows[row] ?? -1;
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
    step?.dispose();
    ids?.dispose();
    tf.dispose(tables);
    for (const { keys, values } of caches) tf.dispose([keys, values]);
  }
}

/**
 * The ids and sequences that are left once no more than half have not ended: a step then costs less, and for every number of rows
 * kernels are compiled. Disposes of `ids` then; otherwise null.
 */
function withoutEnded(
  ids: tf.Tensor,
  rows: number[],
  alive: readonly boolean[],
): [ids: tf.Tensor, rows: number[]] | null {
  const left = rows.filter((index) => alive[index]);
  if (left.length > rows.length / 2) return null;
  const places = left.map((index) => rows.indexOf(index));
  const kept = tf.tidy(() => tf.gather(ids, tf.tensor1d(places, 'int32')));
  ids.dispose();
  return [kept, left];
}

/** logits [sequences, vocab] of the prompts → the first ids */
function begin(
  logits: tf.Tensor,
  draws: number[],
  sampling: Sampling,
): { ids: tf.Tensor; logits: tf.Tensor } {
  const chances = tf.tensor1d(asChances(draws));
  const ids = sampleToken(logits, chances, sampling);
  chances.dispose();
  return { ids, logits };
}

/** → logits of the last token of every prompt */
function prefill(
  model: Runnable,
  prompts: readonly Int32Array[],
  caches: KeyCache[],
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
  const places = tf.tensor1d(at, 'int32');
  const idTensor = tf.tensor1d(ids, 'int32');
  const hidden = hiddenStates(model, idTensor, sight, splitBeside(caches, places));
  const logits = tf.tidy(() => logitsOf(model, tf.gather(hidden, tf.tensor1d(ends, 'int32'))));
  tf.dispose([idTensor, places, hidden]);
  disposeSight(sight);
  return logits;
}
