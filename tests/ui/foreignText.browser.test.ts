/** Text and names as people bring them: right to left, and longer than a telephone is wide. */
import { expect, it } from 'vitest';
import { page, type Locator } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import '../../src/app.css';
import App from '../../src/ui/App.svelte';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { screen } from './mountable';
import { report } from './samples/data';
import { adapter } from './samples/run';
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
  await session.answers.ask('tiny-llama', null, [{ role: 'user', content: question }]);
  await session.score('a1');
  expect(direction(page.getByTestId('answer-base'))).toBe('rtl');
  expect(direction(page.getByTestId('try-prompt'))).toBe('rtl');
  const cells = page.getByRole('row', { name: 'Fixed' }).getByRole('cell');
  const [, asked, wanted, , tuned] = cells.elements().map((cell) => getComputedStyle(cell).direction);
  expect({ asked, wanted, tuned }).toEqual({ asked: 'rtl', wanted: 'ltr', tuned: 'rtl' });
});
