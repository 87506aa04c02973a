/** Runs the search for the fastest products on weights of its own, format by format, and says each trial in plain data. */
import { decode, encode } from '../checkpoint/planes';
import { makeWeight } from '../model/weights';
import type { Design, TunedTable } from '../ops/product/choose';
import { tuneProducts, type Trial } from '../ops/product/tune';
import { disposeWeight } from '../ops/weight';
import type { KernelTrial } from '../protocol/benchmark';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Milliseconds } from '../units';
import { numbers } from './task';

/** A small product that ends inside every tile, and two of Qwen2.5-0.5B's for a row of 512 tokens: gate and o. */
const SMALL = { n: 68, k: 128 };
const LARGE = [
  { n: 4864, k: 896 },
  { n: 896, k: 896 },
];
const ROWS = 512;

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
        rows: ROWS,
        budget,
        onTrial: (trial) => {
          signal.throwIfAborted();
          onTrial(inWords(trial, format));
        },
      });
      table = { ...table, ...found };
    } finally {
      disposeWeight(small);
      large.forEach(disposeWeight);
    }
  }
  return table;
}

function inWords({ form, rows, design, time, error }: Trial, format: WeightFormat): KernelTrial {
  const words = { many: 'forward', one: 'next token', few: 'next tokens of several' } as const;
  return { product: form === 'nn' ? 'backward' : words[rows], format, design: nameOf(design), time, error };
}

function nameOf(design: Design): string {
  switch (design.design) {
    case 'registers':
      return `registers, ${design.rows} × ${design.cols}${design.broadcast ? ', shuffled' : ''}`;
    case 'tiled':
      return `tiles, ${design.bm} × ${design.bn}, ${design.tm} × ${design.tn} each${design.stage === 'f16' ? ', half floats' : ''}${design.ahead ? ', asked for ahead' : ''}`;
    case 'reduce':
      return `${design.lanes} lanes along the sum, ${design.rows} × ${design.cols}`;
    case 'sliced':
      return `${design.slices} slices of the rows, ${design.rows} × ${design.cols}`;
  }
}
