/** The lesson without a mouse: start, pause, go on, stop, ask, rename. Only keys are pressed. */
import { expect, it } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import '../../src/app.css';
import App from '../../src/ui/App.svelte';
import { progress } from './fakeModels';
import { adapter, plan, steps } from './samples/run';
import { screen } from './mountable';

/** Tabs until the wanted control has the focus. */
async function reach(testid: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (document.activeElement?.getAttribute('data-testid') === testid) return;
    await userEvent.keyboard('{Tab}');
  }
  throw new Error(`${testid} cannot be reached with Tab.`);
}

it('the whole main job is done with keys alone', async () => {
  location.hash = '#/';
  const { trainer, session, props } = screen();
  await render(App, props);
  await session.load();

  await expect.element(page.getByTestId('lesson-start')).toBeEnabled();
  await reach('lesson-start');
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => trainer.calls).toEqual(['train']);
  expect(location.hash).toBe('#/train');

  trainer.say({ type: 'planned', runId: 'r1', plan });
  for (const report of steps(3)) trainer.say({ type: 'step', report });
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  await userEvent.keyboard('k');
  await expect.element(page.getByTestId('run-phase')).toHaveAttribute('data-phase', 'paused');
  await userEvent.keyboard('{Escape}');
  expect(session.run.phase).toBe('paused');
  await userEvent.keyboard(' ');
  await expect.element(page.getByTestId('run-phase')).toHaveAttribute('data-phase', 'running');

  await reach('train-pause');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('train-resume')).toHaveFocus();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('train-pause')).toHaveFocus();
  await reach('train-stop');
  await userEvent.keyboard('{Enter}');
  await userEvent.keyboard('{Enter}');
  expect(trainer.calls.filter((call) => call === 'stop')).toHaveLength(1);
  await expect.element(page.getByRole('heading', { name: /^Turn sentences into records/ })).toHaveFocus();
  trainer.kept = [adapter];
  trainer.say({ type: 'finished', reason: 'stopped', adapterId: 'a1', best: null, peakBytes: 1, seconds: 1 });
  trainer.end();
  await expect.element(page.getByTestId('scores')).toBeVisible();

  location.hash = '#/try';
  await expect.element(page.getByTestId('try-prompt')).toBeVisible();
  await reach('try-prompt');
  await userEvent.keyboard('{End}{Enter}');
  await expect.element(page.getByTestId('answer-tuned')).toHaveTextContent('who: Nina');
  await expect.element(page.getByTestId('answer-base')).toHaveTextContent('the cups the kitchen');

  location.hash = '#/adapters';
  await expect.element(page.getByTestId('adapter-download')).toBeVisible();
  await reach('adapter-download');
  await userEvent.keyboard('{Tab}{Tab}{Enter}');
  await expect.element(page.getByLabelText('Name')).toHaveFocus();
  await userEvent.keyboard('Lost{Escape}');
  await expect.element(page.getByRole('heading', { name: adapter.name })).toBeVisible();
  await expect.element(page.getByRole('button', { name: 'Rename' })).toHaveFocus();
  await userEvent.keyboard('{Enter}Records{Enter}');
  await expect.element(page.getByRole('heading', { name: 'Records' })).toBeVisible();
  await expect.element(page.getByRole('button', { name: 'Rename' })).toHaveFocus();

  await userEvent.keyboard('{Tab}{Enter}');
  await expect.element(page.getByTestId('adapter-undo')).toHaveFocus();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByRole('heading', { name: 'Adapters', exact: true })).toHaveFocus();
});

it('a model is looked at, fetched, paused and deleted with keys alone', async () => {
  location.hash = '#/models';
  const { trainer, session, props } = screen();
  await render(App, props);
  await session.load();
  await expect.element(page.getByTestId('hub-id')).toBeVisible();
  await reach('hub-id');
  await userEvent.keyboard('Qwen/Qwen2.5-0.5B-Instruct{Enter}');
  await expect.element(page.getByTestId('hub-fetch')).toBeEnabled();
  await reach('hub-fetch');
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => trainer.calls.at(-1)).toBe('download Qwen/Qwen2.5-0.5B-Instruct q4');
  trainer.tell(progress(0.5));
  await expect.element(page.getByTestId('download-pause')).toBeEnabled();
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  await reach('download-pause');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('download-resume')).toBeVisible();

  location.hash = '#/storage';
  await expect.element(page.getByTestId('persist')).toBeVisible();
  await reach('stored-delete');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('stored-undo')).toBeVisible();
  await reach('forget-ask');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('forget-keep')).toHaveFocus();
  await userEvent.keyboard('{Escape}');
  await expect.poll(() => document.querySelector('dialog')?.open).toBe(false);
});
