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

/** A small product that ends inside every tile, and one of Qwen2.5-0.5B's: gate of a row of 256 tokens. */
const SMALL = { n: 68, k: 128 };
const LARGE = { n: 4864, k: 896, rows: 256 };

/** → the winners; `budget` is shared by the formats. */
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
    const large = makeWeight(numbers(LARGE.n * LARGE.k), LARGE.n, LARGE.k, format);
    try {
      const found = await tuneProducts({
        small: { weight: small, values: decode(encode(values, format), format, values.length) },
        large,
        rows: LARGE.rows,
        budget: budget / formats.length,
        onTrial: (trial) => {
          signal.throwIfAborted();
          onTrial(inWords(trial, format));
        },
      });
      table = { ...table, ...found };
    } finally {
      disposeWeight(small);
      disposeWeight(large);
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
      return `tiles, ${design.bm} × ${design.bn}, ${design.tm} × ${design.tn} each${design.stage === 'f16' ? ', half floats' : ''}`;
    case 'reduce':
      return `${design.lanes} lanes along the sum, ${design.rows} × ${design.cols}`;
  }
}
