/** Text and names as people bring them: right to left, and longer than a telephone is wide. */
import { expect, it } from 'vitest';
import { page, type Locator } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import '../../src/app.css';
import App from '../../src/ui/App.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { screen } from './mountable';
import { report } from './samples/data';
import { adapter, run } from './samples/run';
import { scores } from './samples/scores';

const question = 'أين القطة؟';
const answer = 'القطة في المطبخ.';

it('Arabic questions and answers are laid out right to left, the page around them is not', async () => {
  const trainer = new FakeTrainer();
  trainer.kept = [adapter];
  trainer.answer = async () => ok({ text: answer, tokens: 4, elapsed: 100, stopped: true });
  trainer.score = async () =>
    ok({
      ...scores,
      rows: scores.rows.map((row) => ({ ...row, question, prompt: question, tuned: answer })),
    });
  const rows = [
    [
      { role: 'user' as const, content: question },
      { role: 'assistant' as const, content: answer },
    ],
  ];
  const { session, props } = screen(
    trainer,
    fakeDataset({ open: async () => ok({ ...report, preview: rows }) }),
  );
  location.hash = '#/data';
  await render(App, props);
  await session.load();
  await session.openFile(new File(['x'], 'cats.jsonl'));
  const direction = (shown: Locator): string => getComputedStyle(shown.element()).direction;
  const preview = page.getByTestId('data-report');
  await expect.element(preview.getByText(answer)).toBeVisible();
  expect(direction(preview.getByText(question))).toBe('rtl');
  expect(direction(preview.getByText(answer))).toBe('rtl');
  expect(direction(preview.getByText('Question'))).toBe('ltr');

  location.hash = '#/try';
  await page.getByTestId('try-prompt').fill(question);
  await session.answers.ask({ modelId: 'tiny-llama', adapterId: null }, [
    { role: 'user', content: question },
  ]);
  await session.score('a1');
  expect(direction(page.getByTestId('answer-base'))).toBe('rtl');
  expect(direction(page.getByTestId('try-prompt'))).toBe('rtl');
  const cells = page.getByRole('row', { name: 'Fixed' }).getByRole('cell');
  const [, asked, wanted, , tuned] = cells.elements().map((cell) => getComputedStyle(cell).direction);
  expect({ asked, wanted, tuned }).toEqual({ asked: 'rtl', wanted: 'ltr', tuned: 'rtl' });
});

const file = `${'a'.repeat(200)}.jsonl`;
const name = 'b'.repeat(120);
const named = { ...adapter, name, modelName: 'c'.repeat(80) };

it.each(['#/data', '#/train', '#/try', '#/adapters', '#/', '#/storage'])(
  '%s with names that are long and have no space fits a 390 px screen',
  async (hash) => {
    const trainer = new FakeTrainer();
    trainer.kept = [named, { ...named, id: 'a2', runId: null }];
    trainer.known = [{ ...run, name, status: 'unfinished' }];
    const dataset = fakeDataset({ open: async () => ok({ ...report, name: file }) });
    const { session, props } = screen(trainer, dataset);
    await page.viewport(390, 800);
    location.hash = hash;
    await render(App, props);
    await session.load();
    await session.openFile(new File(['x'], file));
    const over = session.train();
    await expect.poll(() => trainer.calls).toContain('train');
    const wide = (): number => document.documentElement.scrollWidth;
    expect(wide()).toBeLessThanOrEqual(390);
    trainer.say({
      ...{ type: 'finished', reason: 'completed', adapterId: 'a2' },
      ...{ best: null, peakBytes: 1, seconds: 1 },
    });
    trainer.end();
    await over;
    for (const details of document.querySelectorAll('details')) details.open = true;
    expect(wide()).toBeLessThanOrEqual(390);
    await session.adapters.remove('a1');
    await expect.poll(wide).toBeLessThanOrEqual(390);
    await page.viewport(1280, 800);
  },
);
