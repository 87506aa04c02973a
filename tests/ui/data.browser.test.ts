/** The Data page and the plan as a person meets them while a file is packed, and after one that cannot be read. */
import { expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import App from '../../src/ui/App.svelte';
import type { PrepareProgress } from '../../src/protocol/datasetApi';
import { fakeDataset, FakeTrainer, ok } from './fakes';
import { screen } from './mountable';
import { report } from './samples/data';
import { show } from './states';

it('a packing that takes long: share, numbers for people, and a way out', async () => {
  location.hash = '#/data';
  const huge = { ...report, kept: 600_000, rows: 600_000 };
  let tell: ((progress: PrepareProgress) => void) | undefined;
  const dataset = fakeDataset({
    open: async () => ok(huge),
    prepare: (_request, onProgress) => {
      tell = onProgress;
      tell?.({ stage: 'tokens', done: 150_000, rows: 600_000, line: 150_001 });
      return new Promise(() => undefined);
    },
  });
  const { props, session } = screen(new FakeTrainer(), dataset);
  await render(App, props);
  await session.load();
  await session.openFile(new File(['x'], 'huge.jsonl'));
  const packing = page.getByTestId('packing');
  await expect.element(packing).toHaveTextContent('Splitting and packing 600,000 rows…');
  await expect.element(packing).toHaveTextContent('150,000 of 600,000');
  const bar = () => document.querySelector<HTMLProgressElement>('[data-testid=packing] progress');
  expect(bar()?.value).toBe(0.25);
  // of the last part no share is known: the bar moves and says none
  tell?.({ stage: 'pack', done: 0, rows: 600_000, line: null });
  await expect.element(packing).toHaveTextContent('The last part: rows are packed');
  expect(bar()?.position).toBe(-1);
  expect(packing.element().textContent).not.toContain('of 600,000');
  await page.getByTestId('data-cancel').click();
  await expect.element(packing).not.toBeInTheDocument();
  await page.getByTestId('data-pack').click();
  await expect.element(packing).toBeVisible();
});

it('a broken file beside a good one: both are named, and the plan stays that of the good one', async () => {
  const broken = { kind: 'bad-input', message: 'It has no rows.' } as const;
  const { session } = await show('opened', '#/data');
  const name = session.data.report?.name ?? '';
  await expect.poll(() => session.planning.plan).not.toBeNull();
  session.data.failure = broken;
  session.data.unopened = new File([''], 'broken.jsonl');
  const said = page.getByTestId('data-failure');
  await expect.element(said).toHaveTextContent(`broken.jsonl was not opened; ${name} stays open.`);
  await expect.element(page.getByTestId('data-report')).toBeVisible();
  location.hash = '#/train';
  await expect.element(page.getByTestId('plan')).toBeVisible();
  session.data.prepared = null;
  await expect.element(page.getByTestId('plan')).not.toBeInTheDocument();
});

it('a table whose columns do not tell can be opened by saying which they are', async () => {
  location.hash = '#/data';
  const columns = [
    { name: 'Clue', example: 'over the Rhine' },
    { name: 'Town', example: 'Basel' },
    { name: 'Note', example: '' },
  ];
  const chosen: unknown[] = [];
  const dataset = fakeDataset({
    open: async (file) => {
      if (!file.columns)
        return {
          ok: false,
          failure: { kind: 'bad-input', message: 'No column could be recognised.', columns },
        };
      chosen.push(file.columns);
      if (file.columns.question === 'Town')
        return { ok: false, failure: { kind: 'bad-input', message: 'No row has both.', columns } };
      return ok({ ...report, name: file.name });
    },
  });
  const { props, session } = screen(new FakeTrainer(), dataset);
  await render(App, props);
  await session.load();
  await session.openFile(new File(['x'], 'towns.csv'));
  const choice = page.getByTestId('column-choice');
  const press = choice.getByRole('button', { name: 'Open with these columns' });
  await expect.element(press).toBeDisabled();
  const question = choice.getByLabelText('Column with the question');
  await expect.element(question).toHaveTextContent('Clue (“over the Rhine”)');
  await question.selectOptions('Clue');
  const answer = choice.getByLabelText('Column with the answer');
  await answer.selectOptions('Clue');
  await expect.element(choice).toHaveTextContent('Question and answer are two columns.');
  await expect.element(press).toBeDisabled();
  await question.selectOptions('Town');
  await press.click();
  // refused: the focus is where another choice is made
  await expect.element(page.getByText('No row has both.')).toBeVisible();
  await expect.element(question).toHaveFocus();
  await question.selectOptions('Clue');
  await answer.selectOptions('Town');
  await press.click();
  await expect.element(page.getByTestId('data-report')).toHaveTextContent('towns.csv');
  expect(chosen).toEqual([
    { question: 'Town', answer: 'Clue' },
    { question: 'Clue', answer: 'Town' },
  ]);
  await expect.element(choice).not.toBeInTheDocument();
  await expect.element(page.getByRole('heading', { name: report.shape })).toHaveFocus();
});

it('a row of plain text is called a text, and an answer an answer', async () => {
  const { session } = await show('opened', '#/data');
  const row = page.getByRole('article', { name: 'Row 1' });
  await expect.element(row).toHaveTextContent('Answer');
  session.data.report = {
    ...report,
    preview: [[{ role: 'assistant', content: 'Once upon a time' }]],
    plain: true,
  };
  await expect.element(row).toHaveTextContent('Text Once upon a time');
  await expect.element(row).not.toHaveTextContent('Answer');
});

it('a file dropped during a run is refused in words, until the run is over', async () => {
  const { session } = await show('running', '#/train');
  const { report: before } = session.data;
  const dropped = new DataTransfer();
  dropped.items.add(new File(['x'], 'other.csv'));
  dispatchEvent(new DragEvent('drop', { dataTransfer: dropped }));
  const said = page.getByTestId('data-turned-away');
  await expect.element(said).toHaveTextContent('other.csv was not opened');
  await expect
    .element(said)
    .toHaveTextContent('A run is in progress; stop it or wait before opening other data.');
  expect(session.data.report).toBe(before);
});

it('bytes of a divided character are explained where they stand', async () => {
  const { session } = await show('opened', '#/data');
  const viewer = page.getByRole('region', { name: 'What the model learns from a row' });
  await expect.element(viewer).not.toHaveTextContent('bytes of a character');
  session.data.tokens = [{ id: 1, text: 'م⟨D8⟩', fate: 'learned' }];
  await expect.element(viewer).toHaveTextContent('bytes of a character that several tokens share');
});
