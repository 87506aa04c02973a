/** Waiting for a step: asleep while it is known to run, and not longer than it runs. */
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { restful } from '../../src/gpu/rest';

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

const after = (time: number) => new Promise<void>((resolve) => setTimeout(resolve, time));

it('comes back when the results are there, after a first step that took 400 ms and others of 5', async () => {
  const wait = restful();
  const times: number[] = [];
  for (const time of [400, ...Array<number>(12).fill(5)]) {
    const started = performance.now();
    const result = after(time);
    await wait(() => result);
    times.push(performance.now() - started);
  }
  // slept through 0.85 · 400, then half of that each time: below 20 ms after five, with room for a busy machine after twelve
  expect(times[0]).toBeGreaterThan(390);
  expect(times[1]).toBeGreaterThan(300);
  expect(times.at(-1)).toBeLessThan(60);
});
