/** Only one tab trains: the other looks on until it is over. */
import { expect } from 'vitest';
import { journey, listen } from './app';
import type { Page } from 'playwright';
import { reachStep, ready, startShortRun, told } from './lesson';

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
    await ready(second, 20_000); // a tab that closes says so; one that crashes counts as gone after 45 s
    expect(troubles).toEqual([]);
  },
);

journey(
  'of two tabs that begin at the same moment one trains, and the other is told',
  async ({ context, page, url, troubles }) => {
    const second = await context.newPage();
    listen(second, troubles);
    await Promise.all([page.goto(url), second.goto(url)]);
    await Promise.all([ready(page), ready(second)]);
    const press = (tab: Page) =>
      tab.evaluate(() => document.querySelector<HTMLElement>('[data-testid=lesson-start]')?.click());
    await Promise.all([press(page), press(second)]);
    const phases = () => Promise.all([told(page), told(second)]);
    await expect
      .poll(async () => (await phases()).map(({ phase }) => phase).sort(), { timeout: 60_000 })
      .toEqual(['failed', 'running']);
    const [first] = await phases();
    const refused = first.phase === 'failed' ? page : second;
    expect(await refused.getByText('Another tab is training').count()).toBeGreaterThan(0);
    expect(troubles).toEqual([]);
  },
);
