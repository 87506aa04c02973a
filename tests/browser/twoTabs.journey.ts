/** Only one tab trains: the other looks on until it is over. */
import { expect } from 'vitest';
import { journey, listen } from './app';
import { reachStep, ready, startShortRun } from './lesson';

journey(
  'a second tab says that another one trains, and may train once that is closed',
  async ({ context, page, url, troubles }) => {
    await page.goto(url);
    await startShortRun(page, 1000);
    await reachStep(page, 2);
    const second = await context.newPage();
    listen(second, troubles);
    await second.goto(url);
    await expect.poll(() => second.getByText('Another tab is training').count()).toBe(1);
    expect(await second.getByTestId('lesson-start').first().isDisabled()).toBe(true);
    await second.evaluate(() => void (location.hash = '/train'));
    await second.getByTestId('locked-elsewhere').first().waitFor();
    page.on('dialog', (dialog) => void dialog.accept());
    await page.close();
    await second.evaluate(() => void (location.hash = '/'));
    await ready(second, 90_000); // a tab that was closed without a word counts as gone after 45 s
    expect(troubles).toEqual([]);
  },
);
