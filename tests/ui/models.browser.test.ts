/** The pages of models and of what is kept: numbers, words and ways out. */
import { expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { show } from './states';

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
