/** Runs the search for the fastest products on weights of its own, format by format, and says each trial in plain data. */
import { decode, encode } from '../checkpoint/planes';
import { gpu } from '../gpu/inside';
import { makeWeight } from '../model/weights';
import type { Design, TunedTable } from '../ops/product/choose';
import { tuneProducts, type JudgedTrial } from '../ops/product/tune';
import { disposeWeight } from '../ops/weight';
import type { KernelTrial } from '../protocol/benchmark';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Milliseconds } from '../units';
import { numbers } from './task';

/** A small product that ends inside every tile, and three of Qwen2.5-0.5B's: gate, o and down. */
const SMALL = { n: 68, k: 128 };
const LARGE = [
  { n: 4864, k: 896 },
  { n: 896, k: 896 },
  { n: 896, k: 4864 },
];
/** Tokens of a step of training; on a processor fewer, which rank the ways alike and take a part of the time. */
const ROWS = { card: 512, processor: 32 };

/** What a search in one format may take before a first run. */
export const SEARCH_BUDGET: Milliseconds = 8000;

/** → the winners; `budget` is for each format. */
export async function tuneFormats(
  formats: readonly WeightFormat[],
  budget: Milliseconds,
  onTrial: (trial: KernelTrial) => void,
  signal: AbortSignal,
): Promise<TunedTable> {
  let table: TunedTable = {};
  for (const format of formats) {
    signal.throwIfAborted();
    const values = numbers(SMALL.n * SMALL.k);
    const small = makeWeight(values, SMALL.n, SMALL.k, format);
    const large = LARGE.map(({ n, k }) => makeWeight(numbers(n * k), n, k, format));
    try {
      const found = await tuneProducts({
        small: { weight: small, values: decode(encode(values, format), format, values.length) },
        large,
        rows: gpu().software ? ROWS.processor : ROWS.card,
        budget,
        signal,
        onTrial: (trial) => onTrial(inWords(trial, format)),
      });
      table = { ...table, ...found };
    } finally {
      disposeWeight(small);
      large.forEach(disposeWeight);
    }
  }
  return table;
}

function inWords({ form, rows, design, ...rest }: JudgedTrial, format: WeightFormat): KernelTrial {
  const words = { many: 'forward', one: 'next token', few: 'next tokens of several' } as const;
  const { time, error, chosen } = rest;
  const product = form === 'nn' ? 'backward' : words[rows];
  return { product, format, design: nameOf(design), time, error, chosen };
}

function nameOf(design: Design): string {
  switch (design.design) {
    case 'registers':
      return `registers, ${design.rows} × ${design.cols}${design.broadcast ? ', shuffled' : ''}${design.blocks ? ', block by block' : ''}`;
    case 'tiled':
      return `tiles, ${design.bm} × ${design.bn}, ${design.tm} × ${design.tn} each${design.stage === 'f16' ? ', half floats' : ''}${design.ahead ? ', asked for ahead' : ''}${design.enough === 0 ? ', sums not shared' : ''}`;
    case 'reduce':
      return `${design.lanes} lanes along the sum, ${design.rows} × ${design.cols}`;
    case 'sliced':
      return `${design.slices} slices of the rows, ${design.rows} × ${design.cols}`;
  }
}
