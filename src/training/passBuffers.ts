/**
 * The buffers that one forward and backward pass takes from the pool, in the order of step.ts, keptLayers.ts and head.ts. The check
 * on held-out rows takes a part of the same and adds nothing.
 */
import type { Keeping } from '../protocol/settings';
import type { Bytes } from '../units';
import { chunkRows } from './chunkRows';
import { layerBackward, layerForward, layerGradients, rowsOf, type LayerWork } from './layerBuffers';
import type { Pool } from './pool';

/** What each part of the pass adds to the pool. */
export interface PassBytes {
  activations: Bytes;
  head: Bytes;
}

export function passBuffers(pool: Pool, work: LayerWork, { keptLayers, halfInputs }: Keeping): PassBytes {
  const before = pool.bytes;
  const hidden = rowsOf(work.tokens, work.config.hidden);
  const halves = rowsOf(1, Math.ceil((work.tokens * work.config.hidden) / 2));
  pool.run(hidden);
  const { layers } = work.config;
  const whole = Array.from({ length: Math.min(keptLayers, layers) }, () => work);
  const again = layers - whole.length;
  for (let layer = 0; layer < again; layer++) {
    const { saved, unsaved } = layerForward(pool, work);
    pool.drop(...unsaved, ...saved.slice(0, -1));
    if (halfInputs) {
      pool.run(halves);
      pool.drop(hidden);
    }
    pool.submit();
  }
  const head = endBuffers(pool, whole, work, hidden);
  for (let layer = 0; layer < again; layer++) {
    if (halfInputs) {
      pool.run(hidden);
      pool.drop(halves);
    }
    const { saved, unsaved } = layerForward(pool, work, true);
    pool.drop(...unsaved);
    pool.drop(...saved, ...layerBackward(pool, work), hidden, hidden);
    addGradients(pool, layerGradients(work));
    pool.submit();
  }
  addOutside(pool, work);
  pool.submit();
  return { head, activations: pool.bytes - before - head };
}

/** The last layers and the head on one tape. Returns what the head adds. */
function endBuffers(pool: Pool, whole: readonly LayerWork[], work: LayerWork, hidden: Bytes): Bytes {
  const taped = whole.map((layer) => layerForward(pool, layer));
  const head = headBuffers(pool, work);
  pool.drop(...taped.flatMap(({ unsaved }) => unsaved));
  const freed = whole.flatMap((layer) => layerBackward(pool, layer));
  // the input, and the gradient of each layer's output
  pool.drop(...taped.flatMap(({ saved }) => saved), ...freed, hidden, ...whole.map(() => hidden));
  addGradients(pool, whole.flatMap(layerGradients));
  pool.submit();
  return head;
}

/** Log-probabilities and the gradient of the hidden state, filled in chunk by chunk; each chunk takes over the buffers of the last. */
function headBuffers(pool: Pool, { config, tokens, trained }: LayerWork): Bytes {
  const before = pool.bytes;
  const { vocab, hidden } = config;
  const chunk = chunkRows(vocab, tokens);
  const part = rowsOf(chunk, hidden);
  const logits = rowsOf(chunk, vocab);
  const column = rowsOf(chunk, 1);
  const table = rowsOf(vocab, hidden);
  pool.run(rowsOf(tokens, 1));
  pool.run(rowsOf(tokens, hidden));
  for (let at = 0; at < tokens; at += chunk) {
    for (const one of [part, part, logits, column]) pool.run(one);
    pool.run(); // the log-probabilities go to their places
    pool.run(part);
    pool.run(part);
    if (trained === 'all') pool.run(rowsOf(1, hidden));
    pool.run();
    if (trained === 'all') pool.run(table);
    if (trained === 'all' && at > 0) {
      pool.runStock(table);
      pool.drop(table); // the outer product; the earlier sum lives until the head is done
    }
    pool.drop(part, part, part, part, logits, column);
    pool.submit();
  }
  if (trained === 'all') for (let at = chunk; at < tokens; at += chunk) pool.drop(table);
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
