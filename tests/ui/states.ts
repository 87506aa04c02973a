/** The screen as a person meets it: brought into a state by the same events that a run sends. */
import { afterEach, expect } from 'vitest';
import { page } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import '../../src/app.css';
import type { Verdict } from '../../src/protocol/detours';
import App from '../../src/ui/App.svelte';
import { facts, progress, storedItems, unfinished } from './fakeModels';
import { FakeTrainer } from './fakes';
import { adapter, evaluations, plan, run, steps } from './samples/run';
import { screen } from './mountable';

export type State =
  | 'measured'
  | 'fresh'
  | 'opened'
  | 'running'
  | 'finished'
  | 'failed'
  | 'locked'
  | 'downloading'
  | 'found'
  | 'deleted';

/** Brings a screen into a state through the same events a run would send. */
export async function show(state: State, hash: string, tested: Verdict | null = null) {
  location.hash = hash;
  const trainer = new FakeTrainer();
  trainer.tested = tested;
  if (state !== 'fresh') {
    trainer.kept = [adapter];
    trainer.known = [{ ...run, id: 'r2', status: 'unfinished', step: 24 }, run];
  }
  if (state === 'downloading') trainer.left = [unfinished];
  const made = screen(trainer);
  const { session, channel } = made;
  await render(App, made.props);
  await session.load();
  const lesson = session.lessons.list[0];
  if (lesson === undefined) throw new Error('no lesson');
  if (state === 'downloading') {
    void session.download({ repository: facts.repository, revision: 'main' }, 'q4');
    trainer.tell(progress(0.43));
  }
  if (state === 'found') {
    session.lookup.repository = facts.repository;
    await session.lookup.ask();
  }
  if (state === 'deleted' && storedItems[1] !== undefined) await session.keeping.remove(storedItems[1]);
  if (state === 'measured') {
    await session.benchmark.selfTest();
    await session.benchmark.measure();
    await session.benchmark.tune();
  }
  if (state === 'opened') await session.openLesson(lesson);
  if (state === 'locked') {
    channel.onmessage?.(
      new MessageEvent('message', { data: { type: 'training', name: 'Records', step: 12, steps: 60 } }),
    );
  }
  if (state === 'running' || state === 'finished' || state === 'failed') {
    const over = session.trainLesson(lesson);
    await expect.poll(() => trainer.calls).toContain('train');
    trainer.say({ type: 'planned', runId: 'r1', plan });
    for (const report of steps(30)) trainer.say({ type: 'step', report });
    for (const report of evaluations(30)) trainer.say({ type: 'evaluated', report });
    trainer.say({ type: 'saved', step: 30, at: Date.now() });
    if (state === 'failed') {
      trainer.say({
        type: 'failed',
        failure: { kind: 'out-of-memory', message: 'Too much.', needed: 2 ** 33, available: 2 ** 32 },
      });
    }
    if (state === 'finished') {
      trainer.say({
        type: 'finished',
        reason: 'early-stop',
        adapterId: 'a1',
        best: null,
        peakBytes: 1e7,
        seconds: 12,
      });
    }
    if (state !== 'running') {
      trainer.end();
      await over;
    }
  }
  await expect.element(page.getByRole('heading', { level: 1 })).toBeVisible();
  return { ...made, trainer };
}

document.documentElement.lang = 'en';
document.title = 'Loratory';

afterEach(() => {
  document.documentElement.removeAttribute('data-theme');
  location.hash = '';
});
