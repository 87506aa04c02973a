/** The Train page before, during and after a run: numbers, words and ways out. */
import { expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { lessons } from './samples/data';
import { plan, run, steps } from './samples/run';
import { show } from './states';

it('a run: step, loss and held-out loss as text and as bare numbers', async () => {
  await show('running', '#/train');
  await expect.element(page.getByTestId('run-step')).toHaveAttribute('data-step', '30');
  await expect.element(page.getByTestId('run-step')).toHaveTextContent('30 of 60');
  await expect.element(page.getByTestId('run-phase')).toHaveAttribute('data-phase', 'running');
  const loss = document.querySelector('[data-testid=run-loss]')?.getAttribute('data-loss');
  expect(Number(loss)).toBe(steps(30).at(-1)?.loss);
  expect(document.title).toMatch(/^50\u00a0% · loss \d\.\d\d · Train · Loratory$/);
});

it('rows that cannot be prepared cannot be trained on, until something is changed that mends it', async () => {
  const { session, dataset } = await show('opened', '#/train');
  await expect.element(page.getByTestId('train-start')).toBeEnabled();
  const { prepare } = dataset;
  dataset.prepare = async () => ({
    ok: false,
    failure: { kind: 'bad-input', message: 'Three rows are needed at least; this file has two.' },
  });
  session.form.put('sequenceLength', 64);
  await expect.element(page.getByRole('alert')).toHaveTextContent('Three rows are needed');
  await expect.element(page.getByTestId('train-start')).toBeDisabled();
  await expect.element(page.getByText('the reason stands above')).toBeVisible();
  dataset.prepare = prepare;
  session.form.put('sequenceLength', 96);
  await expect.element(page.getByTestId('train-start')).toBeEnabled();
});

it('the first run: not called none while it goes, and listed when it is over', async () => {
  const { session, trainer } = await show('fresh', '#/train');
  const list = page.getByTestId('run-list');
  await expect.element(list).toHaveTextContent('None yet.');
  const [lesson] = session.lessons.list;
  if (lesson) void session.trainLesson(lesson);
  await expect.poll(() => trainer.calls).toContain('train');
  await expect.element(list).toHaveTextContent('None but the one above.');
  trainer.known = [run];
  trainer.say({ type: 'planned', runId: run.id, plan });
  trainer.say({ type: 'finished', reason: 'stopped', adapterId: null, best: null, peakBytes: 1, seconds: 1 });
  trainer.end();
  await expect.element(list).toHaveTextContent(run.name);
});

it('what is waited for before the first step, in words and numbers', async () => {
  const { session, trainer } = await show('opened', '#/train');
  const [lesson] = session.lessons.list;
  if (lesson) void session.trainLesson(lesson);
  await expect.poll(() => trainer.calls).toContain('train');
  trainer.say({ type: 'loading', what: 'Preparing the graphics card’s programs', done: 3, total: 37 });
  const said = page.getByText('Preparing the graphics card’s programs: 3 of 37');
  await expect.element(said).toBeVisible();
  const bar = () => document.querySelector<HTMLProgressElement>('progress[aria-label="Progress of the run"]');
  expect(bar()?.value).toBeCloseTo(3 / 37, 6);
  // said aloud is what is waited for, not each number
  await expect
    .element(page.getByRole('status').filter({ hasText: 'Preparing' }))
    .toHaveTextContent(/^Preparing the graphics card’s programs:$/);
  trainer.say({ type: 'loading', what: 'Opening the model', done: 0, total: 1 });
  await expect.element(page.getByText('Opening the model…')).toBeVisible();
  expect(bar()?.position).toBe(-1);
  trainer.say({ type: 'planned', runId: 'r1', plan });
  await expect.element(page.getByText('Waiting for the first step')).toBeVisible();
  await expect.element(said).not.toBeInTheDocument();
});

it('a failure: what, both numbers, what was kept', async () => {
  await show('failed', '#/train');
  const alert = page.getByTestId('run-failure');
  await expect.element(alert).toHaveTextContent('Not enough GPU memory');
  await expect.element(alert).toHaveTextContent('Needed 8.0 GiB; this GPU has 4.0 GiB.');
  await expect.element(alert).toHaveTextContent('Step 30 is saved');
});

it('while another tab trains nothing can be started', async () => {
  await show('locked', '#/train');
  await expect.element(page.getByTestId('locked-elsewhere')).toHaveTextContent('step 12 of 60');
  await expect.element(page.getByTestId('train-start')).toBeDisabled();
  await expect.element(page.getByTestId('lesson-start')).toBeDisabled();
});

it('room for layers: how many, and a button that keeps them', async () => {
  const { session } = await show('opened', '#/train');
  await expect.element(page.getByTestId('room')).toHaveTextContent(/room to keep all \d+ layers/);
  const layers = session.models.candidates.get(session.models.selected?.id ?? '')?.config.layers;
  await page.getByTestId('room-apply').click();
  expect(session.form.settings?.keptLayers).toBe(layers);
  await expect.element(page.getByTestId('room')).not.toBeInTheDocument();
});

it('every setting has its field, made from the schema', async () => {
  await show('opened', '#/train');
  const ids = [...document.querySelectorAll('[id^=setting-]:not([id$=-help])')].map((one) => one.id);
  expect(ids).toHaveLength(26);
  expect(document.querySelector<HTMLInputElement>('#setting-learningRate')?.valueAsNumber).toBe(
    lessons[0]?.settings.learningRate,
  );
});
