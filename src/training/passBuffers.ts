/**
 * The buffers that one forward and backward pass takes from the pool, in the order of step.ts (recomputing) or wholeStep.ts
 * (keeping everything), and of head.ts between them. The check on held-out rows takes a part of the same and adds nothing.
 */
import type { Bytes } from '../units';
import { chunkRows } from './head';
import { layerBackward, layerForward, layerGradients, rowsOf, type LayerWork } from './layerBuffers';
import type { Pool } from './pool';

/** What each part of the pass adds to the pool. */
export interface PassBytes {
  activations: Bytes;
  head: Bytes;
}

export function passBuffers(pool: Pool, work: LayerWork, recompute: boolean): PassBytes {
  const before = pool.bytes;
  const hidden = rowsOf(work.tokens, work.config.hidden);
  pool.run(hidden);
  const head = recompute ? recomputed(pool, work, hidden) : whole(pool, work, hidden);
  return { head, activations: pool.bytes - before - head };
}

/** Returns what the head adds. */
function recomputed(pool: Pool, work: LayerWork, hidden: Bytes): Bytes {
  const { layers } = work.config;
  for (let layer = 0; layer < layers; layer++) {
    const { saved, unsaved } = layerForward(pool, work);
    pool.drop(...unsaved, ...saved.slice(0, -1));
    pool.submit();
  }
  const head = headBuffers(pool, work);
  pool.drop(hidden);
  pool.submit();
  for (let layer = 0; layer < layers; layer++) {
    const { saved, unsaved } = layerForward(pool, work);
    pool.drop(...unsaved);
    pool.drop(...saved, ...layerBackward(pool, work), hidden, hidden);
    addGradients(pool, layerGradients(work));
    pool.submit();
  }
  addOutside(pool, work);
  return head;
}

function whole(pool: Pool, work: LayerWork, hidden: Bytes): Bytes {
  const layers = Array.from({ length: work.config.layers }, () => work);
  const taped = layers.map(() => layerForward(pool, work));
  const head = headBuffers(pool, work);
  pool.drop(...taped.flatMap(({ unsaved }) => unsaved));
  const freed = layers.flatMap(() => layerBackward(pool, work));
  pool.drop(...taped.flatMap(({ saved }) => saved), ...freed, hidden);
  addGradients(pool, layers.flatMap(layerGradients));
  addOutside(pool, work);
  pool.submit();
  return head;
}

/** Norm, logits and loss in chunks, and the gradient of the hidden state, which stays. */
function headBuffers(pool: Pool, { config, tokens, trained }: LayerWork): Bytes {
  const before = pool.bytes;
  const { vocab, hidden } = config;
  const rows = rowsOf(tokens, hidden);
  const chunk = Math.min(tokens, chunkRows(vocab));
  const pieces = Math.ceil(tokens / chunk);
  const table = rowsOf(vocab, hidden);
  pool.run(rows);
  const gradients: Bytes[] = [];
  for (let piece = 0; piece < pieces; piece++) {
    const size = Math.min(chunk, tokens - piece * chunk);
    const part = rowsOf(size, hidden);
    const logits = rowsOf(size, vocab);
    const cut = pieces === 1 ? [] : [part, rowsOf(size, 1), rowsOf(size, 1)];
    for (const one of cut) pool.runStock(one);
    pool.run(logits);
    pool.run(rowsOf(size, 1), logits);
    if (trained === 'all') pool.run(table);
    pool.run(part);
    gradients.push(part);
    if (trained === 'all' && piece > 0) {
      pool.runStock(table);
      pool.drop(table, table);
    }
    pool.drop(...cut, logits, logits);
    pool.submit();
  }
  if (pieces > 1) {
    pool.runStock(rowsOf(tokens, 1));
    pool.runStock(rows);
    gradients.push(rows);
  }
  pool.run(rows);
  if (trained === 'all') pool.run(rowsOf(1, hidden));
  pool.drop(rows, ...gradients);
  return pool.bytes - before;
}

function addGradients(pool: Pool, gradients: Bytes[]): void {
  for (const gradient of gradients) {
    pool.run();
    pool.drop(gradient);
  }
}

/** Embedding, final norm and head where all weights are trained. */
function addOutside(pool: Pool, { config, trained }: LayerWork): void {
  if (trained !== 'all') return;
  const table = rowsOf(config.vocab, config.hidden);
  pool.run(table);
  addGradients(pool, [table, table, rowsOf(1, config.hidden)]);
}
