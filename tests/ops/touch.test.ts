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
}

const CASES: Record<string, Case> = {
  'f32 in vectors': { shape: { format: 'f32' }, bytes: 16, weights: 4 },
  'f32 number by number': { shape: { format: 'f32', vector: 1 }, bytes: 4, weights: 1 },
  f16: { shape: { format: 'f16' }, bytes: 8, weights: 4 },
  q8: { shape: { format: 'q8' }, bytes: 4, weights: 4 },
  q4: { shape: { format: 'q4' }, bytes: 4, weights: 8 },
  'q4 in blocks': { shape: { format: 'q4' }, blocks: true, bytes: 16, weights: 32 },
  'q8 in blocks': { shape: { format: 'q8' }, blocks: true, bytes: 16, weights: 16 },
  'gates and ups of q4': { shape: { format: 'q4', gate: 'silu' }, bytes: 4, weights: 8 },
};
const LANES = 8;
const COLS = 2;

/** Elements of `right` that one group touches. */
function touched({ shape, blocks = false }: Case, n: number, k: number, group: number): Set<number> {
  const tile: ProductShape = { ...PLAIN, form: 'nt', format: 'f32', vector: 4 };
  const text = touchColumns({ ...tile, ...shape, cols: COLS, broadcast: LANES, blocks });
  const script = text
    .join('\n')
    .replace(/(\d)u\b/g, '$1')
    .replace(/bitcast<u32>|f32/g, '');
  const seen = new Set<number>();
  const right = new Proxy([], {
    get: (_, at) => {
      seen.add(Number(at));
      return { x: 0, valueOf: () => 0 };
    },
  });
  for (let lane = 0; lane < LANES; lane++)
    runInNewContext(script, { wg: { y: group }, lane, shape: { n, k, none: 0 }, right, min: Math.min });
  return seen;
}

it.each(Object.keys(CASES))('every line of the columns of a group, and nothing past them: %s', (name) => {
  const own = CASES[name] as Case;
  const gated = own.shape.gate !== undefined;
  const [n, k] = [gated ? 72 : 36, 640];
  const [row, line] = [k / own.weights, 64 / own.bytes];
  const halves = gated ? [0, n / 2] : [0];
  const columns = gated ? n / 2 : n;
  const across = (LANES * COLS) / halves.length;
  for (let group = 0; group * across < columns; group++) {
    const seen = touched(own, n, k, group);
    const expected = halves.flatMap((half) => {
      const first = (half + group * across) * row;
      const last = (half + Math.min(columns, (group + 1) * across)) * row;
      return Array.from({ length: Math.ceil((last - first) / line) }, (_, i) => first + i * line);
    });
    expect([...seen].sort((a, b) => a - b)).toEqual(expected);
    expect(Math.max(...seen)).toBeLessThan(n * row);
  }
});

it('no more than half a mebibyte, of gates and ups together', () => {
  const long = { shape: { format: 'f32' }, bytes: 16, weights: 4 } as const;
  // 16 columns of 65,536 numbers are 4 MiB
  expect(touched(long, 16, 65_536, 0).size).toBe((512 * 1024) / 64);
  const gates: Case = { ...long, shape: { format: 'f32', gate: 'silu' } };
  expect(touched(gates, 16, 65_536, 0).size).toBe((512 * 1024) / 64);
});
