/** What the pages share: titles, the header, how a page begins; and how answers, scores and downloads of an adapter are shown. */
import { expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { pages } from '../../src/state/route.svelte';
import { steps } from './samples/run';
import { show } from './states';

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

it('a download shows its receipt', async () => {
  await show('finished', '#/adapters');
  await page.getByTestId('adapter-download').first().click();
  await expect.element(page.getByTestId('receipt')).toHaveTextContent('3.1e-4, allowed 2e-3');
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
