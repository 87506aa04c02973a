/**
 * The buffers that one decoder layer takes from the pool, in the order in which model/decoder.ts and the gradients of its
 * operations take them. A change there needs the same change here; tests/training/plan.gpu.test.ts notices when it is missing.
 */
import type { ModelConfig } from '../model/config';
import { linearShape, normNames, targetsOf } from '../model/shapes';
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

/** Takes what the forward takes. */
export function layerForward(pool: Pool, work: LayerWork): Taped {
  const { config, tokens } = work;
  const wide = widths(work);
  const taped: Taped = { saved: [], unsaved: [] };
  /** `read`: a gradient reads the result. */
  const run = (output: Bytes, read = true) => {
    pool.run(output);
    (read ? taped.saved : taped.unsaved).push(output);
  };
  const linear = (target: Target, read = true) => {
    const { in: width, out } = linearShape(config, target);
    const rank = rankOf(work, target);
    if (rank > 0 && work.dropout) {
      run(rowsOf(tokens, out), false);
      run(rowsOf(tokens, width));
    }
    if (rank > 0) run(rowsOf(tokens, rank));
    run(rowsOf(tokens, out), read);
  };
  /** The product that is added to the stream, with a norm on its way where the family has one. */
  const added = (target: Target) => {
    linear(target);
    if (!config.outputNorms) return;
    run(wide.hidden);
    pool.runStock(wide.hidden);
    taped.saved.push(wide.hidden);
  };
  run(wide.hidden, reads(work, ['q_proj', 'k_proj', 'v_proj', 'qkv_proj']));
  const turned = config.kinds.some(({ rope }) => rope !== null);
  const before = config.qkNorm || !turned;
  if (config.fused) {
    linear('qkv_proj', false);
    run(wide.q, before);
    run(wide.k, before);
    run(wide.k);
  } else {
    linear('q_proj', before);
    linear('k_proj', before);
    linear('v_proj');
  }
  for (const width of [wide.q, wide.k]) {
    if (config.qkNorm) run(width, !turned);
    if (turned) run(width);
  }
  pool.run(wide.q, wide.heads);
  taped.saved.push(wide.q, wide.heads);
  added('o_proj');
  run(wide.hidden, reads(work, ['gate_proj', 'up_proj', 'gate_up_proj']));
  if (config.fused) {
    linear('gate_up_proj', false);
    run(wide.ffn);
    run(wide.ffn);
  } else {
    linear('gate_proj');
    linear('up_proj');
  }
  run(wide.ffn, reads(work, ['down_proj']));
  added('down_proj');
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
  const added = (target: Target) => {
    if (config.outputNorms) norm(wide.hidden, config.hidden);
    linear(target);
  };
  added('down_proj');
  run(wide.ffn, wide.ffn);
  if (config.fused) {
    run(rowsOf(tokens, 2 * config.ffn));
    linear('gate_up_proj');
  } else {
    linear('up_proj');
    linear('gate_proj');
    add(wide.hidden, true);
  }
  norm(wide.hidden, config.hidden);
  add(wide.hidden, false);
  added('o_proj');
  // logarithms and dots side by side
  pool.run(2 * wide.heads);
  run(wide.q);
  run(wide.k, wide.k);
  pool.drop(2 * wide.heads);
  for (const width of [wide.k, wide.q]) {
    if (config.kinds.some(({ rope }) => rope !== null)) run(width);
    if (config.qkNorm) norm(width, config.headDim);
  }
  if (config.fused) {
    run(wide.q + 2 * wide.k);
    linear('qkv_proj');
  } else {
    linear('v_proj');
    for (const target of ['k_proj', 'q_proj'] as const) {
      linear(target);
      add(wide.hidden, true);
    }
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
  const matrices = targetsOf(config).map((target) => {
    const { in: width, out } = linearShape(config, target);
    return rowsOf(out, width);
  });
  const gains = Object.values(normNames(config)).map((name) =>
    name.startsWith('self_attn') ? config.headDim : config.hidden,
  );
  return [...matrices, ...gains.map((count) => rowsOf(1, count))];
}

/** Whether a gradient reads the input of these layers. A frozen one reads nothing; under dropout the adapter reads its own copy. */
function reads(work: LayerWork, targets: readonly Target[]): boolean {
  return work.trained === 'all' || (!work.dropout && targets.some((target) => rankOf(work, target) > 0));
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
