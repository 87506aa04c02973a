/**
 * The buffers that one decoder layer takes from the pool, in the order in which model/decoder.ts and the gradients of its
 * operations take them. A change there needs the same change here; tests/training/plan.gpu.test.ts notices when it is missing.
 */
import { linearShape, type ModelConfig } from '../model/config';
import { TARGETS, type Target } from '../protocol/settings';
import type { Bytes } from '../units';
import type { Pool } from './pool';

export interface LayerWork {
  config: ModelConfig;
  tokens: number;
  /** Rank of the adapter on each linear layer; 'all' where every weight is trained. */
  trained: ReadonlyMap<Target, number> | 'all';
  dropout: boolean;
}

const FLOAT: Bytes = 4;

export interface Taped {
  /** What gradients read later; the last one is the layer's output. */
  saved: Bytes[];
  /** What no gradient reads: tfjs frees it when the forward is over. */
  unsaved: Bytes[];
}

/** Takes what the forward takes. */
export function layerForward(pool: Pool, work: LayerWork): Taped {
  const { config, tokens } = work;
  const wide = widths(work);
  const taped: Taped = { saved: [], unsaved: [] };
  const run = (...outputs: Bytes[]) => {
    pool.run(...outputs);
    taped.saved.push(...outputs);
  };
  const runUnsaved = (output: Bytes) => {
    pool.run(output);
    taped.unsaved.push(output);
  };
  /** `read`: a gradient reads the result. */
  const linear = (target: Target, read = true) => {
    const { in: width, out } = linearShape(config, target);
    const rank = rankOf(work, target);
    if (rank > 0 && work.dropout) {
      runUnsaved(rowsOf(tokens, out));
      run(rowsOf(tokens, width));
      run(rowsOf(tokens, rank));
    }
    const result = rowsOf(tokens, out);
    pool.run(...(rank > 0 && !work.dropout ? [rowsOf(tokens, rank)] : []), result);
    if (rank > 0 && !work.dropout) taped.saved.push(rowsOf(tokens, rank));
    (read ? taped.saved : taped.unsaved).push(result);
  };
  run(wide.hidden);
  for (const [target, width] of [
    ['q_proj', wide.q],
    ['k_proj', wide.k],
  ] as const) {
    linear(target, config.qkNorm);
    if (config.qkNorm) runUnsaved(width);
    run(width);
  }
  linear('v_proj');
  run(wide.q, wide.heads);
  linear('o_proj');
  run(wide.hidden);
  linear('gate_proj');
  linear('up_proj');
  run(wide.ffn);
  linear('down_proj');
  return taped;
}

/**
 * Takes what tf.grads takes to go back through a taped layer. Returns what is freed when the tape is: everything but the
 * gradient of the layer's input and those of its parameters (`layerGradients`).
 */
export function layerBackward(pool: Pool, work: LayerWork): Bytes[] {
  const { config, tokens } = work;
  const wide = widths(work);
  const freed: Bytes[] = [];
  const run = (...outputs: Bytes[]) => {
    pool.run(...outputs);
    freed.push(...outputs);
  };
  /** Two gradients of one tensor: the first is freed at once unless another still reads it. */
  const add = (size: Bytes, own: boolean) => {
    pool.runStock(size);
    freed.push(size);
    if (own) pool.drop(...freed.splice(freed.indexOf(size), 1));
  };
  const linear = (target: Target) => {
    const { in: width, out } = linearShape(config, target);
    const rank = rankOf(work, target);
    if (rank > 0) run(rowsOf(tokens, rank));
    run(rowsOf(tokens, width));
    if (rank > 0 && work.dropout) {
      run(rowsOf(tokens, width));
      run(rowsOf(tokens, width));
      add(rowsOf(tokens, width), true);
    }
    if (work.trained === 'all') pool.run(rowsOf(out, width));
    else if (rank > 0) {
      pool.run(rowsOf(rank, width));
      pool.run(rowsOf(out, rank));
    }
  };
  const norm = (size: Bytes, gain: number) => {
    run(size);
    if (work.trained === 'all') pool.run(rowsOf(1, gain));
  };
  linear('down_proj');
  run(wide.ffn, wide.ffn);
  linear('up_proj');
  linear('gate_proj');
  add(wide.hidden, true);
  norm(wide.hidden, config.hidden);
  add(wide.hidden, false);
  linear('o_proj');
  pool.run(wide.heads);
  run(wide.q);
  run(wide.k);
  run(wide.k);
  pool.drop(wide.heads);
  linear('v_proj');
  for (const [target, width] of [
    ['k_proj', wide.k],
    ['q_proj', wide.q],
  ] as const) {
    run(width);
    if (config.qkNorm) norm(width, config.headDim);
    linear(target);
    add(wide.hidden, true);
  }
  norm(wide.hidden, config.hidden);
  pool.runStock(wide.hidden);
  return freed;
}

/** The gradients of a layer's own parameters, which live until they are added to the flat buffer. */
export function layerGradients({ config, trained }: LayerWork): Bytes[] {
  if (trained !== 'all')
    return [...trained].flatMap(([target, rank]) => {
      const { in: width, out } = linearShape(config, target);
      return [rowsOf(rank, width), rowsOf(out, rank)];
    });
  const matrices = TARGETS.map((target) => {
    const { in: width, out } = linearShape(config, target);
    return rowsOf(out, width);
  });
  const gains = config.qkNorm ? [config.headDim, config.headDim] : [];
  return [...matrices, ...[config.hidden, config.hidden, ...gains].map((count) => rowsOf(1, count))];
}

function widths({ config, tokens }: LayerWork) {
  return {
    hidden: rowsOf(tokens, config.hidden),
    q: rowsOf(tokens, linearShape(config, 'q_proj').out),
    k: rowsOf(tokens, linearShape(config, 'k_proj').out),
    ffn: rowsOf(tokens, config.ffn),
    heads: rowsOf(tokens, config.heads),
  };
}

function rankOf({ trained }: LayerWork, target: Target): number {
  return trained === 'all' ? 0 : (trained.get(target) ?? 0);
}

export function rowsOf(rows: number, width: number): Bytes {
  return FLOAT * rows * width;
}
