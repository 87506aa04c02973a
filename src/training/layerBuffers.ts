/**
 * The buffers that one decoder layer takes from the pool, in the order in which model/decoder.ts and the gradients of its
 * operations take them. A change there needs the same change here; tests/training/plan.gpu.test.ts notices when it is missing.
 */
import type { ModelConfig } from '../model/config';
import { linearShape, membersOf, PROJECTIONS, type Projection } from '../model/shapes';
import type { Target } from '../protocol/settings';
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

/** Takes what the forward takes. `unread`: the last product is not run, for only its gradient is wanted. */
export function layerForward(pool: Pool, work: LayerWork, unread = false): Taped {
  const { config, tokens } = work;
  const wide = widths(work);
  const taped: Taped = { saved: [], unsaved: [] };
  /** `read`: a gradient reads the result. */
  const run = (output: Bytes, read = true) => {
    pool.run(output);
    (read ? taped.saved : taped.unsaved).push(output);
  };
  const linear = (projection: Projection, read = true, made = true) => {
    const { in: width, out, rank } = sides(work, projection);
    if (rank > 0 && work.dropout) run(rowsOf(tokens, width));
    if (rank > 0) run(rowsOf(tokens, rank));
    if (made) run(rowsOf(tokens, out), read);
  };
  /** The product that is added to the stream, with a norm on its way where the family has one. */
  const added = (projection: Projection, last = false) => {
    linear(projection, true, !last || config.outputNorms);
    if (config.outputNorms && !last) run(wide.hidden);
  };
  run(wide.hidden, reads(work, 'qkv_proj'));
  linear('qkv_proj', config.qkNorm);
  pool.run(wide.q, wide.k, wide.k);
  pool.run(wide.q, wide.heads);
  taped.saved.push(wide.q, wide.k, wide.k, wide.q, wide.heads);
  added('o_proj');
  run(wide.hidden, reads(work, 'gate_up_proj'));
  linear('gate_up_proj');
  run(wide.ffn, reads(work, 'down_proj'));
  added('down_proj', unread);
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
  const linear = (projection: Projection) => {
    const { in: width, out, rank } = sides(work, projection);
    const low = rank > 0 && work.dropout ? rowsOf(tokens, width) : 0;
    if (rank > 0) run(rowsOf(tokens, rank));
    if (low > 0) {
      pool.run(low); // du A
      pool.run(low); // after dropout, added to the gradient of the input
    }
    run(rowsOf(tokens, width));
    if (low > 0) pool.drop(low, low);
    if (work.trained === 'all') pool.run(rowsOf(out, width));
    if (rank === 0) return;
    // the adapter's own gradients go to the flat buffer
    pool.run();
    pool.run();
  };
  const gain = (size: number) => {
    if (work.trained === 'all') pool.run(rowsOf(1, size));
  };
  const added = (projection: Projection) => {
    if (config.outputNorms) {
      run(wide.hidden);
      gain(config.hidden);
    }
    linear(projection);
  };
  added('down_proj');
  run(2 * wide.ffn);
  linear('gate_up_proj');
  run(wide.hidden);
  gain(config.hidden);
  added('o_proj');
  // logarithms and dots side by side
  pool.run(2 * wide.heads);
  run(wide.q);
  run(wide.k, wide.k);
  pool.drop(2 * wide.heads);
  run(wide.q + 2 * wide.k);
  if (config.qkNorm) gain(2 * config.headDim);
  linear('qkv_proj');
  pool.run(wide.hidden);
  gain(config.hidden);
  return freed;
}

/** The gradients of a layer's own parameters that live until they are added to the flat buffer; an adapter's are made there. */
export function layerGradients(work: LayerWork): Bytes[] {
  const { config, trained } = work;
  if (trained !== 'all') return [];
  const matrices = PROJECTIONS.map((projection) => {
    const { in: width, out } = sides(work, projection);
    return rowsOf(out, width);
  });
  const hidden = config.outputNorms ? 4 : 2;
  const gains = Array.from({ length: hidden }, () => rowsOf(1, config.hidden));
  return [...matrices, ...gains, ...(config.qkNorm ? [rowsOf(2, config.headDim)] : [])];
}

/** Whether a gradient reads the input of this product. A frozen one reads nothing; under dropout the adapter reads its own copy. */
function reads(work: LayerWork, projection: Projection): boolean {
  return work.trained === 'all' || (!work.dropout && sides(work, projection).rank > 0);
}

/** Widths of a product, and the ranks of all adapters in it. */
function sides(
  { config, trained }: LayerWork,
  projection: Projection,
): { in: number; out: number; rank: number } {
  const members = membersOf(config, projection);
  const sum = (of: (target: Target) => number) => members.reduce((total, target) => total + of(target), 0);
  const [first = projection] = members;
  return {
    in: linearShape(config, first).in,
    out: sum((target) => linearShape(config, target).out),
    rank: trained === 'all' ? 0 : sum((target) => trained.get(target) ?? 0),
  };
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

export function rowsOf(rows: number, width: number): Bytes {
  return FLOAT * rows * width;
}
