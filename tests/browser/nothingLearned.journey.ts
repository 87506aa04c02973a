/** A run that did no step leaves nothing behind that could be taken for a result. */
import { expect } from 'vitest';
import { journey } from './app';
import { ready, told } from './lesson';

journey('a run that is stopped before its first step keeps nothing', async ({ page, url, troubles }) => {
  await page.goto(url);
  await ready(page);
  await page.evaluate(() => {
    document.querySelector<HTMLElement>('[data-testid=lesson-start]')?.click();
    location.hash = '/train';
  });
  await page.getByTestId('train-stop').click();
  const finish = page.getByTestId('finish');
  await finish.waitFor({ timeout: 60_000 });
  expect((await told(page)).step).toBe(0);
  expect(await finish.textContent()).toContain('nothing was learned, and nothing is kept');
  await page.evaluate(() => void (location.hash = '/adapters'));
  await page.getByRole('heading', { name: 'None yet' }).waitFor();
  expect(await page.getByTestId('adapter').count()).toBe(0);
  expect(troubles).toEqual([]);
});
