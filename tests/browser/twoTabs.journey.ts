/** Only one tab trains: the other looks on until it is over. */
import { expect } from 'vitest';
import { journey, listen } from './app';
import { reachStep, ready, startShortRun } from './lesson';

journey(
  'a second tab says that another one trains, and may train once that is closed',
  async ({ context, page, url, troubles }) => {
    await page.goto(url);
    await startShortRun(page, 2000);
    await reachStep(page, 2);
    const second = await context.newPage();
    listen(second, troubles);
    await second.goto(url);
    await second.getByTestId('locked-elsewhere').first().waitFor();
    expect(await second.getByTestId('lesson-start').first().isDisabled()).toBe(true);
    page.on('dialog', (dialog) => void dialog.accept());
    await page.close();
    await ready(second);
    expect(troubles).toEqual([]);
  },
);
