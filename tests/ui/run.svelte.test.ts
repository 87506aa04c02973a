/** RunState: every event of a run, and what the screen may conclude from them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { RunState } from '../../src/state/run.svelte';
import { defaultSettings } from '../../src/protocol/settings';
import { evaluations, plan, steps } from './samples/run';

let now = 0;
let run: RunState;
const subject = {
  name: 'Records',
  modelId: 'm',
  modelName: 'Tiny',
  datasetName: 'records.jsonl',
  settings: defaultSettings,
};
const play = (from: number, to: number): void => {
  for (const report of steps(to).slice(from)) run.apply({ type: 'step', report });
};

beforeEach(() => {
  now = 1000;
  run = new RunState(() => now);
  run.begin(subject);
});

describe('the phases of a run', () => {
  it('goes from packing over loading and waiting to training', () => {
    const seen = [run.phase];
    run.apply({ type: 'loading', what: 'Weights', done: 1, total: 2 });
    seen.push(run.phase);
    const what = 'Preparing the graphics card’s programs';
    run.apply({ type: 'loading', what, done: 3, total: 37 });
    expect(run.loading).toMatchObject({ what, done: 3, total: 37 });
    seen.push(run.phase);
    run.apply({ type: 'planned', runId: 'r1', plan });
    expect(run.loading).toBeNull();
    seen.push(run.phase);
    play(0, 1);
    seen.push(run.phase);
    expect(seen).toEqual(['preparing', 'loading', 'loading', 'waiting', 'running']);
  });

  it('stays stopping until the end is told, whatever step still arrives', () => {
    play(0, 3);
    run.markStopping();
    play(3, 4);
    expect(run.phase).toBe('stopping');
    run.apply({ type: 'finished', reason: 'stopped', adapterId: 'a', best: null, peakBytes: 1, seconds: 2 });
    expect(run.phase).toBe('finished');
    expect(run.active).toBe(false);
  });

  it('keeps the failure as data', () => {
    run.apply({ type: 'failed', failure: { kind: 'quota', message: 'Full.', needed: 7 } });
    expect(run.phase).toBe('failed');
    expect(run.failure).toEqual({ kind: 'quota', message: 'Full.', needed: 7 });
  });
});

describe('figures', () => {
  it('shows no remaining time before ten steps, then steps left times the median step', () => {
    play(0, 9);
    expect(run.remaining).toBeNull();
    play(9, 10);
    // 50 steps of 420 ms are left.
    expect(run.remaining).toBe(50 * 420);
  });

  it('one slow step does not move the speed', () => {
    play(0, 11);
    const [slow] = steps(1);
    if (slow === undefined) throw new Error('no step');
    run.apply({ type: 'step', report: { ...slow, step: 12, stepTime: 60_000 } });
    // 512 tokens in 420 ms.
    expect(run.tokensPerSecond).toBeCloseTo(1219.05, 1);
  });

  it('leaves pauses out of the elapsed time', () => {
    play(0, 1);
    now = 5000;
    run.apply({ type: 'paused', step: 1 });
    now = 65_000;
    expect(run.elapsed(now)).toBe(4000);
    run.apply({ type: 'resumed', step: 1 });
    now = 66_000;
    expect(run.elapsed(now)).toBe(5000);
  });

  it('counts the steps that no checkpoint holds', () => {
    play(0, 13);
    run.apply({ type: 'saved', step: 10, at: now });
    expect(run.unsaved).toBe(3);
  });
});

describe('a GPU that was lost', () => {
  it('goes back to the checkpoint without doubling points', () => {
    play(0, 25);
    for (const report of evaluations(20)) run.apply({ type: 'evaluated', report });
    const again = steps(12)[10];
    if (again === undefined) throw new Error('no step');
    run.apply({ type: 'step', report: again });
    expect(run.steps.map((report) => report.step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(run.evaluations.map((report) => report.step)).toEqual([10]);
  });

  it('a run that goes on starts with its history', () => {
    run.begin(subject, { runId: 'r1', plan, steps: steps(24), evaluations: evaluations(24) });
    expect([run.step, run.total, run.best?.step, run.runId]).toEqual([24, 60, 20, 'r1']);
    play(24, 25);
    expect(run.steps).toHaveLength(25);
  });
});
