/**
 * A piece of work that several engines can do: its sizes and its numbers, as plain arrays or, for a whole model, a source. Whoever does
 * it, ours or a peer, is given the same task and hands back the same outputs in the same order. No engine is known here.
 */
import type { WeightSource } from '../checkpoint/source';
import type { ModelConfig } from '../model/config';
import { linearShape } from '../model/shapes';
import { TARGETS } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import { randomFrom } from '../random';
import type { Work } from './timing';

/** nt: x Wᵀ → [y [m, n]], as in the forward pass. nn: x W → [dx [m, k]], as in the backward pass. */
export interface ProductTask {
  kind: 'product';
  form: 'nt' | 'nn';
  m: number;
  n: number;
  k: number;
  /** nt [m, k], nn [m, n] */
  x: Float32Array;
  /** [n, k] */
  w: Float32Array;
}

/** A projection of the layers measured here, whose family keeps each in a matrix of its own. */
export type Projection = (typeof TARGETS)[number];

/** A decoder layer with an adapter on all seven projections, forward and backward → [dx, dA and dB of each in the order of TARGETS] */
export interface LayerTask {
  kind: 'layer';
  /** One layer; the vocabulary is not used. */
  config: ModelConfig;
  rows: number;
  rank: number;
  scale: number;
  /** [rows, hidden] */
  x: Float32Array;
  dy: Float32Array;
  inputNorm: Float32Array;
  postNorm: Float32Array;
  linear: Record<Projection, LayerPart>;
}
export interface LayerPart {
  out: number;
  in: number;
  w: Float32Array;
  bias: Float32Array | null;
  /** [rank, in] */
  a: Float32Array;
  /** [out, rank] */
  b: Float32Array;
}

/** Causal, forward and backward → [dq, dk, dv]. q, dy [rows, heads · d]; k, v [rows, kvHeads · d]. */
export interface AttentionTask {
  kind: 'attention';
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  dy: Float32Array;
}

/** Final norm, logits, mean loss over the rows and its gradient → [loss, dx] */
export interface HeadTask {
  kind: 'head';
  rows: number;
  hidden: number;
  vocab: number;
  epsilon: number;
  x: Float32Array;
  norm: Float32Array;
  /** [vocab, hidden] */
  head: Float32Array;
  targets: Int32Array;
}

/** The first update of AdamW without decay or clipping → [parameters] */
export interface AdamwTask {
  kind: 'adamw';
  count: number;
  parameters: Float32Array;
  gradient: Float32Array;
  learningRate: number;
}

/**
 * The token after the last of `ids` for each of several sequences, whose other tokens were read before → [logits [sequences, vocab]]. A
 * peer's time is that of one such step, without the choice of a token and with its first keys only; ours has both.
 */
export interface DecodeTask {
  kind: 'decode';
  config: ModelConfig;
  source: WeightSource;
  format: WeightFormat;
  sequences: number;
  /** [sequences, length] */
  ids: Int32Array;
}

/** What is made of plain arrays alone. */
export type PieceTask = ProductTask | LayerTask | AttentionTask | HeadTask | AdamwTask;
export type Task = PieceTask | DecodeTask;

/** An engine's form of a task: its numbers are where it wants them. */
export interface Prepared extends Work {
  /** Does the task once and reads its outputs. */
  read(): Promise<ArrayLike<number>[]>;
  dispose(): void;
}

/** Another engine in the same run. */
export interface Peer {
  name: string;
  version: string;
  /** A sentence where it cannot do the task here. */
  prepare(task: Task): Promise<Prepared | string>;
}

const random = randomFrom(20261124);
const BLOCK = 1 << 20;
let block: Float32Array | null = null;

/** `count` numbers in ±bound. Large arrays repeat one block: their values do not matter, making them should not take long. */
export function numbers(count: number, bound = 1, place = random()): Float32Array<ArrayBuffer> {
  block ??= Float32Array.from({ length: BLOCK }, () => 2 * random() - 1);
  const start = Math.floor(place * (BLOCK / 2));
  const values = new Float32Array(count);
  const width = BLOCK - start;
  for (let at = 0; at < count; at += width)
    values.set(block.subarray(start, start + Math.min(width, count - at)), at);
  if (bound !== 1) for (let i = 0; i < count; i++) values[i] = (values[i] ?? 0) * bound;
  return values;
}

export function productTask(form: ProductTask['form'], m: number, k: number, n: number): ProductTask {
  const x = numbers(m * (form === 'nt' ? k : n));
  return { kind: 'product', form, m, n, k, x, w: numbers(n * k, 1 / Math.sqrt(k)) };
}

export function layerTask(config: ModelConfig, rows: number, rank: number): LayerTask {
  const part = (target: Projection): LayerPart => {
    const { out, in: width } = linearShape(config, target);
    return {
      out,
      in: width,
      w: numbers(out * width, 1 / Math.sqrt(width)),
      bias: config.biased.includes(target) ? numbers(out) : null,
      a: numbers(rank * width, 1 / Math.sqrt(width)),
      b: numbers(out * rank, 1 / Math.sqrt(rank)),
    };
  };
  const linear = Object.fromEntries(TARGETS.map((target) => [target, part(target)]));
  return {
    kind: 'layer',
    config,
    rows,
    rank,
    scale: 2,
    x: numbers(rows * config.hidden),
    dy: numbers(rows * config.hidden),
    inputNorm: numbers(config.hidden).map((value) => 1 + value / 4),
    postNorm: numbers(config.hidden).map((value) => 1 + value / 4),
    linear: linear as LayerTask['linear'],
  };
}

export function attentionTask(rows: number, heads: number, kvHeads: number, headDim: number): AttentionTask {
  const wide = () => numbers(rows * heads * headDim);
  const narrow = () => numbers(rows * kvHeads * headDim);
  return {
    kind: 'attention',
    rows,
    heads,
    kvHeads,
    headDim,
    q: wide(),
    k: narrow(),
    v: narrow(),
    dy: wide(),
  };
}

export function headTask(rows: number, hidden: number, vocab: number): HeadTask {
  return {
    kind: 'head',
    rows,
    hidden,
    vocab,
    epsilon: 1e-6,
    x: numbers(rows * hidden),
    norm: numbers(hidden).map((value) => 1 + value / 4),
    head: numbers(vocab * hidden, 1 / Math.sqrt(hidden)),
    targets: Int32Array.from({ length: rows }, (_, row) => (row * 7919 + 1) % vocab),
  };
}

export function adamwTask(count: number): AdamwTask {
  return {
    kind: 'adamw',
    count,
    parameters: numbers(count),
    gradient: numbers(count, 1e-2),
    learningRate: 1e-3,
  };
}
