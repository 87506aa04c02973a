/** What stands on the pages: numbers, words and ways out, as a person reads them. */
import { expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { pages } from '../../src/state/route.svelte';
import { lessons } from './samples/data';
import { verdict } from './samples/benchmark';
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

it('the title names the page', async () => {
  await show('fresh', '#/');
  expect(document.title).toBe('Start · Loratory');
  for (const page of pages.slice(1)) {
    location.hash = `#/${page}`;
    await expect.poll(() => document.title.toLowerCase()).toBe(`${page} · loratory`);
    expect(document.title.startsWith(document.querySelector('h1')?.textContent ?? '?')).toBe(true);
  }
});

it('title and header say the same of a run: never more than is done', async () => {
  const { trainer } = await show('running', '#/data');
  const [report] = steps(1);
  if (report) trainer.say({ type: 'step', report: { ...report, step: 55, steps: 400 } });
  await expect.poll(() => document.title).toMatch(/^13\u00a0% .* Data · Loratory$/);
  await expect.element(page.getByRole('link', { name: 'Train' })).toHaveTextContent('13 %');
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

it('scores: questions as they were asked, and on request as the model reads them', async () => {
  await show('finished', '#/try');
  const rows = page.getByRole('region', { name: 'Answers row by row' });
  await expect.element(rows).not.toHaveTextContent('<|im_start|>');
  await page.getByTestId('whole-prompts').click();
  await expect.element(rows).toHaveTextContent('<|im_start|>user Nina has six blue cups');
});

it('scoring: counted on the page, told to a screen reader seldom, and its verdict at once', async () => {
  const { session, trainer } = await show('finished', '#/try');
  const { score } = trainer;
  let answered: (done: number) => void = () => undefined;
  let end: () => void = () => undefined;
  trainer.score = async (request, onProgress) => {
    answered = (done) => onProgress(done, 120);
    await new Promise<void>((resolve) => (end = resolve));
    return score(request, () => undefined);
  };
  const told: string[] = [];
  const listen = new MutationObserver(() => {
    const said = [...document.querySelectorAll('[role=status]')].map((one) => one.textContent).join(' ');
    if (said !== told.at(-1)) told.push(said);
  });
  listen.observe(document.body, { subtree: true, childList: true, characterData: true });
  const over = session.score('a1');
  await expect.element(page.getByRole('progressbar', { name: 'Scoring' })).toBeVisible();
  for (let done = 1; done <= 6; done++) {
    answered(done);
    await expect
      .element(page.getByText(`Asking both models: ${done.toString()} of 120 answers`))
      .toBeVisible();
  }
  expect(told.filter((said) => said.includes('Scoring'))).toHaveLength(1);
  end();
  await over;
  await expect.poll(() => told.at(-1)).toContain(session.scoring.scores?.verdict ?? '?');
  listen.disconnect();
});

it('room for layers: how many, and a button that keeps them', async () => {
  const { session } = await show('opened', '#/train');
  await expect.element(page.getByTestId('room')).toHaveTextContent(/room to keep all \d+ layers/);
  const layers = session.models.candidates.get(session.models.selected?.id ?? '')?.config.layers;
  await page.getByTestId('room-apply').click();
  expect(session.form.settings?.keptLayers).toBe(layers);
  await expect.element(page.getByTestId('room')).not.toBeInTheDocument();
});

it('a page begins at its top', async () => {
  await show('fresh', '#/models');
  await page.getByTestId('catalogue-more').click();
  scrollTo(0, 1000);
  expect(scrollY).toBe(1000);
  location.hash = '#/data';
  await expect.element(page.getByRole('heading', { level: 1 })).toHaveTextContent('Data');
  expect(scrollY).toBe(0);
});

it('model output is text, never markup', async () => {
  await show('opened', '#/data');
  await expect.element(page.getByText('Lea found one black <b>shoe</b> in the attic.')).toBeVisible();
});

it('every setting has its field, made from the schema', async () => {
  await show('opened', '#/train');
  const ids = [...document.querySelectorAll('[id^=setting-]:not([id$=-help])')].map((one) => one.id);
  expect(ids).toHaveLength(26);
  expect(document.querySelector<HTMLInputElement>('#setting-learningRate')?.valueAsNumber).toBe(
    lessons[0]?.settings.learningRate,
  );
});

it('a measurement: figures beside their limit, a wrong peer said to be wrong, the broken operation named', async () => {
  await show('measured', '#/benchmark');
  const kernels = page.getByTestId('kernel-trial');
  await expect.element(kernels.nth(0)).toHaveTextContent('used');
  await expect.element(kernels.nth(1)).not.toHaveTextContent('used');
  await expect.element(kernels.nth(2)).toHaveTextContent('wrong numbers');
  const rows = page.getByTestId('benchmark-rows');
  await expect.element(rows).toHaveTextContent('89 % of 50 GFLOP/s');
  await expect.element(rows).toHaveTextContent('TensorFlow.js: 900 ms, 9 times ours');
  await expect.element(rows).toHaveTextContent('Another: wrong results (1.4e+0 away), so not timed');
  await expect.element(rows).toHaveTextContent('This GPU allows 128 MiB in one binding.');
  // one name for both formats of the product
  const names = [...rows.element().querySelectorAll('h3')].map(({ textContent }) => textContent);
  expect(names).toEqual(['Matrix product, forward', 'Final norm, logits and loss']);
  const shapes = page.getByTestId('benchmark-row');
  await expect.element(shapes.nth(1)).toHaveTextContent('512 × 896 × 4864, f32');
  const notice = page.getByTestId('selftest-verdict');
  await expect.element(notice).toHaveTextContent('Right, but by a slower way');
  await expect
    .element(notice)
    .toHaveTextContent(
      'On this graphics card, attention gives wrong results. Loratory uses a slower way for it.',
    );
  await expect.element(notice).toHaveTextContent('It is computed by TensorFlow.js.');
  await expect.element(notice).toHaveTextContent('a whole model computed what PyTorch computes on Test GPU');
  await page.getByText('All checks').click();
  const checks = page.getByTestId('selftest-check');
  await expect.element(checks.nth(1)).toHaveTextContent('failed');
  await expect.element(checks.nth(2)).toHaveTextContent('attention, by TensorFlow.js');
  await expect.element(checks.nth(2)).not.toHaveTextContent('failed');
});

it('a measurement under way: what is measured and how many figures there are', async () => {
  const { session, trainer } = await show('fresh', '#/benchmark');
  const whole = trainer.benchmark;
  let end: () => void = () => undefined;
  let late: () => void = () => undefined;
  trainer.benchmark = async (names, onRow, onNow) => {
    const result = await whole(names, onRow, onNow);
    await new Promise<void>((resolve) => (end = resolve));
    if (result.ok) late = () => result.value.forEach(onRow);
    return result;
  };
  const over = session.benchmark.measure();
  await expect
    .element(page.getByText('One decoder layer, T 64; '))
    .toHaveTextContent(/; \d+ figures so far…/);
  end();
  await over;
  await expect.element(page.getByText('One decoder layer, T 64; ')).not.toBeInTheDocument();
  // rows that come after the whole of them are not shown twice
  const { length } = session.benchmark.rows;
  late();
  expect(session.benchmark.rows).toHaveLength(length);
});

it('a verdict of an earlier visit: what was wrong, when, and the way to test again', async () => {
  const detours = [...verdict.detours, { operation: 'linear q4', way: null } as const];
  const { session } = await show('fresh', '#/benchmark', { ...verdict, detours });
  const notice = page.getByTestId('selftest-verdict');
  await expect.element(notice).toHaveTextContent('Right, but not in everything');
  await expect
    .element(notice)
    .toHaveTextContent('multiplying by q4 weights gives wrong results in every way');
  await expect.element(notice).toHaveTextContent('Choose another weight format.');
  await expect.element(notice).toHaveTextContent('here on May 17, 2026');
  const button = page.getByTestId('selftest-start');
  await expect.element(button).toHaveTextContent('Run the self-test again');
  await button.click();
  await expect.element(notice).not.toHaveTextContent('q4 weights');
  expect(session.benchmark.verdict).toEqual(verdict);
});

it('a model that is computed wrongly although each operation is right', async () => {
  await show('fresh', '#/benchmark', { detours: [], right: false, made: verdict.made });
  const notice = page.getByTestId('selftest-verdict');
  await expect.element(notice).toHaveTextContent('Something is computed wrongly');
  await expect.element(notice).toHaveTextContent('No single operation is at fault');
  await expect.element(notice).toHaveTextContent('Do not trust an adapter trained here');
});

it('a download shows its receipt', async () => {
  await show('finished', '#/adapters');
  await page.getByTestId('adapter-download').first().click();
  await expect.element(page.getByTestId('receipt')).toHaveTextContent('3.1e-4, allowed 2e-3');
});

it('a download: share, rate and time left as text, in the title, and the way to pause it', async () => {
  await show('downloading', '#/models');
  const row = page.getByTestId('download').first();
  await expect.element(row).toHaveTextContent('408 MiB of 949 MiB · 11 MiB/s · about 50 s left');
  await expect.element(page.getByTestId('download-pause')).toBeEnabled();
  expect(document.title).toBe('42\u00a0% · Qwen2.5-0.5B-Instruct · Models · Loratory');
  await expect.element(page.getByTestId('unfinished')).toHaveTextContent('Go on at 59 %');
});

it('a verdict in words on every model, and filters that count', async () => {
  await show('fresh', '#/models');
  await page.getByTestId('catalogue-more').click();
  const shown = () => document.querySelectorAll('[data-testid=catalogue-model]').length;
  const all = shown();
  expect(document.querySelectorAll('[data-testid=fit]')).toHaveLength(all);
  await page.getByTestId('filter-fit').selectOptions('fits');
  const verdicts = [...document.querySelectorAll<HTMLElement>('[data-testid=fit]')].map(
    (one) => one.dataset['verdict'],
  );
  expect(new Set(verdicts)).toEqual(new Set(['fits']));
  expect(shown()).toBeLessThan(all);
  await page.getByTestId('memory-budget').fill('0.25');
  document.querySelector<HTMLElement>('[data-testid=memory-budget]')?.blur();
  await expect.poll(shown).toBeLessThan(verdicts.length);
});

it('a repository that cannot be trained: its architecture and what is missing', async () => {
  await show('fresh', '#/models');
  await page.getByTestId('hub-id').fill('tiiuae/falcon-7b');
  await page.getByTestId('hub-ask').click();
  await expect.element(page.getByTestId('hub-unsupported')).toHaveTextContent('FalconForCausalLM');
  expect(document.querySelector('[data-testid=hub-fetch]')).toBeNull();
});

it('storage: weight formats by the names people know', async () => {
  await show('fresh', '#/storage');
  await expect.element(page.getByTestId('stored-model').nth(0)).toHaveTextContent('4-bit · ');
  await expect.element(page.getByTestId('stored-model').nth(1)).toHaveTextContent('16-bit · ');
});

it('storage: room as text, a delete with its way back', async () => {
  const { trainer } = await show('fresh', '#/storage');
  await expect.element(page.getByTestId('quota')).toHaveTextContent('1.7 GiB of about 60 GiB');
  await page.getByTestId('stored-delete').first().click();
  await expect.element(page.getByTestId('stored-undo')).toBeVisible();
  await page.getByTestId('stored-undo').click();
  await expect.poll(() => trainer.calls).toEqual(['remove model kept-qwen', 'undo model kept-qwen']);
});

it('forgetting everything shows the sizes and asks once more', async () => {
  await show('fresh', '#/storage');
  await page.getByTestId('forget-ask').click();
  await expect.element(page.getByRole('dialog')).toHaveTextContent('Delete 1.7 GiB for good?');
  await page.getByTestId('forget-keep').click();
  await expect.poll(() => document.querySelector('dialog')?.open).toBe(false);
});

it.each(['running', 'finished', 'downloading', 'failed'] as const)(
  '%s: how things stand is not cut in the header of a 390 px screen',
  async (state) => {
    await page.viewport(390, 800);
    const { session } = await show(state, '#/data');
    if (session.scoring.scores !== null) {
      const { scores } = session.scoring;
      session.scoring.scores = { ...scores, tuned: { ...scores.tuned, right: 60, share: 1 } };
      await expect.element(page.getByRole('link', { name: /100.%.right/ })).toBeVisible();
    }
    const cut = [...document.querySelectorAll('nav .standing')].filter(
      (one) => one.scrollWidth > one.clientWidth,
    );
    expect(cut.map((one) => one.textContent)).toEqual([]);
    await page.viewport(1280, 800);
  },
);
