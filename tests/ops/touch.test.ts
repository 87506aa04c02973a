/** Which numbers of a weight a group touches: what the text says is run here, group by group and lane by lane. */
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { PLAIN, type ProductShape } from '../../src/ops/product/operands';
import { touchColumns } from '../../src/ops/product/registers/touch';

interface Case {
  shape: Partial<ProductShape>;
  blocks?: boolean;
  /** Bytes of one element of `right`, and weights in it. */
  bytes: number;
  weights: number;
  /** Weights whose scales lie in one word. */
  scaled?: number;
}

const CASES: Record<string, Case> = {
  'f32 in vectors': { shape: { format: 'f32' }, bytes: 16, weights: 4 },
  'f32 number by number': { shape: { format: 'f32', vector: 1 }, bytes: 4, weights: 1 },
  f16: { shape: { format: 'f16' }, bytes: 8, weights: 4 },
  q8: { shape: { format: 'q8' }, bytes: 4, weights: 4, scaled: 64 },
  q4: { shape: { format: 'q4' }, bytes: 4, weights: 8, scaled: 32 },
  nf4: { shape: { format: 'nf4' }, bytes: 4, weights: 8, scaled: 128 },
  nf4dq: { shape: { format: 'nf4dq' }, bytes: 4, weights: 8, scaled: 256 },
  'q4 in blocks': { shape: { format: 'q4' }, blocks: true, bytes: 16, weights: 32, scaled: 32 },
  'q8 in blocks': { shape: { format: 'q8' }, blocks: true, bytes: 16, weights: 16, scaled: 64 },
  'gates and ups of q4': { shape: { format: 'q4', gate: 'silu' }, bytes: 4, weights: 8, scaled: 32 },
};
const LANES = 8;
const COLS = 2;

const ascending = (numbers: Set<number>) => [...numbers].sort((a, b) => a - b);

/** Elements of `right`, and words of `scales`, that one group touches. */
function touched({ shape, blocks = false }: Case, n: number, k: number, group: number) {
  const tile: ProductShape = { ...PLAIN, form: 'nt', format: 'f32', vector: 4 };
  const text = touchColumns({ ...tile, ...shape, cols: COLS, broadcast: LANES, blocks });
  const script = text
    .join('\n')
    .replace(/(\d)u\b/g, '$1')
    .replace(/bitcast<u32>|f32/g, '');
  const [elements, words] = [new Set<number>(), new Set<number>()];
  const noting = (seen: Set<number>) =>
    new Proxy([], {
      get: (_, at) => {
        seen.add(Number(at));
        return { x: 0, valueOf: () => 0 };
      },
    });
  const [right, scales] = [noting(elements), noting(words)];
  for (let lane = 0; lane < LANES; lane++)
    runInNewContext(script, {
      ...{ wg: { y: group }, lane, shape: { n, k, none: 0 }, right, scales, min: Math.min },
    });
  return { elements: ascending(elements), words: ascending(words) };
}

it.each(Object.keys(CASES))('every line of the columns of a group, and nothing past them: %s', (name) => {
  const own = CASES[name] as Case;
  const gated = own.shape.gate !== undefined;
  const [n, k] = [gated ? 72 : 36, 768];
  const halves = gated ? [0, n / 2] : [0];
  const columns = gated ? n / 2 : n;
  const across = (LANES * COLS) / halves.length;
  /** Firsts of lines of `line` elements, of which rows have `row`: in whole elements from the one in which a group's first row begins. */
  const lines = (group: number, row: number, line: number) =>
    halves.flatMap((half) => {
      const first = Math.floor((half + group * across) * row);
      const last = Math.ceil((half + Math.min(columns, (group + 1) * across)) * row);
      return Array.from({ length: Math.ceil((last - first) / line) }, (_, i) => first + i * line);
    });
  for (let group = 0; group * across < columns; group++) {
    const { elements, words } = touched(own, n, k, group);
    expect(elements).toEqual(lines(group, k / own.weights, 64 / own.bytes));
    expect(Math.max(...elements)).toBeLessThan((n * k) / own.weights);
    if (own.scaled === undefined) expect(words).toEqual([]);
    else {
      expect(words).toEqual(lines(group, k / own.scaled, 16));
      expect(Math.max(...words)).toBeLessThan((n * k) / own.scaled);
    }
  }
});

it('a row whose first scale lies in the middle of a word', () => {
  // 96 weights have three scales of q8, two to a word. Gates are rows 0 … 16, ups 17 … 33; a group has eight of each.
  const gated: Case = { ...(CASES.q8 as Case), shape: { format: 'q8', gate: 'silu' } };
  // scales 0 … 23 are words 0 … 11; 51 … 74 are words 25 … 37
  expect(touched(gated, 34, 96, 0).words).toEqual([0, 25]);
  // scales 48 … 50 are words 24 and 25; 99 … 101 are words 49 and 50
  expect(touched(gated, 34, 96, 2).words).toEqual([24, 49]);
});

it('no more than half a mebibyte of weights, of gates and ups together', () => {
  const long = { shape: { format: 'f32' }, bytes: 16, weights: 4 } as const;
  // 16 columns of 65,536 numbers are 4 MiB
  expect(touched(long, 16, 65_536, 0).elements).toHaveLength((512 * 1024) / 64);
  const gates: Case = { ...long, shape: { format: 'f32', gate: 'silu' } };
  expect(touched(gates, 16, 65_536, 0).elements).toHaveLength((512 * 1024) / 64);
});
