/** Timings: the median, repeated short work, and what is never claimed. */
import { describe, expect, it } from 'vitest';
import { attentionFlops, headFlops, layerFlops } from '../../src/benchmark/flops';
import { qwen } from '../../src/benchmark/shapes';
import { inTurns, ratioError, ratioIn, summary, time } from '../../src/benchmark/timing';
import { markdownOf } from '../bench/markdown';

const patience = (runs: number) => ({ runs, budget: 60_000, signal: new AbortController().signal });

describe('time', () => {
  it('waits for the work and not for the sleep', async () => {
    let done = 0;
    let started = 0;
    const work = {
      record: () => void (started = performance.now()),
      finish: async () => {
        while (performance.now() - started < 30) await new Promise((resolve) => setTimeout(resolve, 1));
        done++;
      },
    };
    const timing = await time(work, patience(5));
    expect(timing.runs).toBe(5);
    expect(timing.least).toBeGreaterThanOrEqual(30);
    // warm-up twice, one to know the length, five that count; sleeps that were too long are not counted
    expect(done).toBeGreaterThanOrEqual(8);
  });

  it('takes three timings at least of work that passes its budget', async () => {
    const work = {
      record: () => undefined,
      finish: () => new Promise<void>((resolve) => setTimeout(resolve, 25)),
    };
    expect((await time(work, { ...patience(20), budget: 1 })).runs).toBe(3);
  });

  it('ends when it is cancelled', async () => {
    const controller = new AbortController();
    const work = { record: () => controller.abort(new Error('enough')), finish: async () => undefined };
    await expect(time(work, { ...patience(5), signal: controller.signal })).rejects.toThrow('enough');
  });

  it('the middle of an even number of timings is the mean of the two middle ones', () => {
    expect(summary([4, 1, 3, 10])).toEqual({ ms: 3.5, least: 1, most: 10, runs: 4 });
    expect(() => summary([])).toThrow('Nothing was timed');
  });
});

describe('works in turns', () => {
  const lasting = (ms: number, order: string[], name: string) => ({
    record: () => void order.push(name),
    finish: () => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  });

  it('the quick one is timed as often as it is wanted, around each timing of the slow one', async () => {
    const order: string[] = [];
    const works = [lasting(25, order, 'quick'), lasting(100, order, 'slow')];
    // 100 ms: three times at least; 25 ms: 250 / 25, ten at most
    const rounds = await inTurns(works, { ...patience(10), budget: 250 });
    expect(rounds).toHaveLength(3);
    for (const [quick = [], slow = []] of rounds) {
      expect(slow).toHaveLength(1);
      expect(quick.length).toBeGreaterThanOrEqual(3);
      expect(quick.length).toBeLessThanOrEqual(4);
    }
    // forth, back and forth: the slow one ends the first round, begins the second and ends the third
    const slowAt = order.flatMap((name, at) => (name === 'slow' ? [at] : [])).slice(-3);
    expect(slowAt.at(-1)).toBe(order.length - 1);
    expect((slowAt[1] ?? 0) - (slowAt[0] ?? 0)).toBe(1);
    expect((slowAt[2] ?? 0) - (slowAt[1] ?? 0)).toBeGreaterThan(2);
  });

  it('a ratio is that of the rounds, whatever the machine does between them', () => {
    // twice as slow in the second round and ten times in the third: 3, 3 and 2.5 times
    const rounds = [
      [[10, 12, 11], [33]],
      [[20, 24, 22], [66]],
      [
        [100, 100],
        [200, 300],
      ],
    ];
    expect(ratioIn(rounds, 1, 0)).toBe(3);
    expect(ratioIn(rounds, 0, 1)).toBeCloseTo(1 / 3, 12);
  });

  it('the error of a ratio is what its order leaves open', () => {
    // ratios 1 … 16, out of order: the median 8.5 is number 7.5 from 0; √16 / 2 = 2 places off, rounded, lie 11 and 7: (11 - 7) / 2 / 8.5
    const rounds = Array.from({ length: 16 }, (_, i) => [[((i * 7) % 16) + 1], [1]]);
    expect(ratioError(rounds, 0, 1)).toBeCloseTo(2 / 8.5, 12);
    expect(ratioError([[[3], [2]]], 0, 1)).toBe(0);
  });
});

describe('operations counted', () => {
  // Qwen2.5-0.5B, a layer: q and o 896², k and v 128·896, gate, up and down 896·4864 = 14,909,440 weights
  it('a layer of one token: twice its weights forward and as much for the gradient, and the adapters', () => {
    const weights = 2 * 896 ** 2 + 2 * 128 * 896 + 3 * 896 * 4864;
    // Σ (in + out) over the seven: 2·1792 + 2·1024 + 3·5760
    const adapters = 2 * 8 * (2 * 1792 + 2 * 1024 + 3 * 5760);
    const { forward, backward } = layerFlops(qwen(), 1, 8);
    // one token sees itself: q·k and p·v over 14 heads of 64
    expect(forward).toBe(2 * weights + adapters + 4 * 896);
    expect(backward).toBe(2 * weights + 2 * adapters + 10 * 896);
  });
  it('causal attention over three tokens sees six pairs', () => {
    expect(attentionFlops(3, 2, 4)).toEqual({ forward: 2 * 2 * 8 * 6, backward: 5 * 2 * 8 * 6 });
  });
  it('the head: logits and their gradient', () => expect(headFlops(3, 5, 7)).toBe(4 * 3 * 5 * 7));
});

it('the table says which peer was wrong and which did not run', () => {
  const peer = { peer: 'A', version: '1', ms: null, ratio: null };
  const text = markdownOf(
    [
      {
        ...{ name: 'adamw', what: 'Update', shape: '9', device: 'D' },
        ours: { ms: 2, least: 1, most: 3, runs: 20, bytes: 4e6 },
        limit: { what: 'copy', value: 3, unit: 'GB/s', fraction: 0.5 },
        peers: [
          { ...peer, correct: false, relL2: 1.43 },
          { ...peer, correct: null, relL2: null, note: 'not run: no file' },
          { ...peer, ms: 8, ratio: 4, correct: true, relL2: 1e-7 },
        ],
      },
    ],
    { device: 'D', command: 'npm run bench', date: '2026-01-01', machine: 'M', features: 'F' },
  );
  expect(text).toContain(
    '| 2 ms (1–3, 20)<br>4 MB | 50 % of 3 GB/s (copy) | A 1: **wrong**, 1.4e+0 away<br>A 1: not run: no file<br>A 1: **4×**, 8 ms',
  );
  expect(text).toContain('1 peer figures are “not run”, with the reason; 1 peer figures were wrong.');
});
