/** What `npm run bench` was asked for. A wrong word is answered with the right ones, and exit code 2. */
import { parseArgs } from 'node:util';
import { BENCHMARKS, type BenchmarkName } from '../../src/protocol/benchmark';
import { WEIGHT_FORMATS, type WeightFormat } from '../../src/protocol/weightFormats';
import type { Milliseconds } from '../../src/units';

export interface BenchOptions {
  names: readonly BenchmarkName[];
  formats: readonly WeightFormat[];
  runs: number;
  budget: Milliseconds;
  peers: boolean;
  /** Whether the fastest products are searched for first, as the app does on a graphics card before a first run. */
  tuned: boolean;
  defaultLimits: boolean;
  without: string[];
  json: string | undefined;
  markdown: string | undefined;
}

const USAGE = `npm run bench -- [NAME…] [--format F]… [--runs N] [--budget SECONDS] [--no-peers] [--tuned] [--default-limits]
                 [--without FEATURE]… [--json FILE] [--markdown FILE]
NAME is one of ${BENCHMARKS.join(', ')}; without one, all are run.
F is one of ${WEIGHT_FORMATS.join(', ')}; without one, all are measured.`;

export function readOptions(args: string[]): BenchOptions {
  try {
    return optionsOf(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return process.exit(2);
  }
}

/** Throws what is wrong with the arguments. */
export function optionsOf(args: string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      markdown: { type: 'string' },
      runs: { type: 'string', default: '20' },
      budget: { type: 'string', default: '6' },
      'no-peers': { type: 'boolean', default: false },
      tuned: { type: 'boolean', default: false },
      'default-limits': { type: 'boolean', default: false },
      without: { type: 'string', multiple: true, default: [] },
      format: { type: 'string', multiple: true, default: [] },
    },
  });
  const [runs, budget] = [Number(values.runs), 1000 * Number(values.budget)];
  if (!(runs >= 3)) throw new Error(`--runs is 3 or more, not ${values.runs}.`);
  if (!(budget > 0)) throw new Error(`--budget is more than 0 seconds, not ${values.budget}.`);
  return {
    names: known(positionals, BENCHMARKS, 'benchmark'),
    formats: known(values.format, WEIGHT_FORMATS, 'weight format'),
    ...{
      runs,
      budget,
      peers: !values['no-peers'],
      tuned: values.tuned,
      defaultLimits: values['default-limits'],
    },
    ...{ without: values.without, json: values.json, markdown: values.markdown },
  };
}

/** All of them where none is named. */
function known<T extends string>(words: string[], all: readonly T[], what: string): readonly T[] {
  if (words.length === 0) return all;
  return words.map((word) => {
    const found = all.find((one) => one === word);
    if (found === undefined) throw new Error(`There is no ${what} ${word}.`);
    return found;
  });
}
