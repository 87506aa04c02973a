/** The main job with the keyboard alone. */
import type { Page } from 'playwright';
import { expect } from 'vitest';
import { journey } from './app';
import { reachStep, ready, result } from './lesson';

/** Presses Tab until the control has the focus; fails when a whole round does not reach it. */
async function tabTo(page: Page, testId: string): Promise<void> {
  for (let press = 0; press < 120; press++) {
    const here = await page.evaluate(() =>
      document.activeElement?.closest('[data-testid]')?.getAttribute('data-testid'),
    );
    if (here === testId) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`120 presses of Tab do not reach ${testId}.`);
}

journey('trains, stops and downloads without a mouse', async ({ page, url, troubles }) => {
  await page.goto(url);
  await ready(page);
  await tabTo(page, 'lesson-start');
  await page.keyboard.press('Enter');
  await reachStep(page, 3);
  await tabTo(page, 'train-stop');
  await page.keyboard.press('Enter');
  await result(page);
  const waiting = page.waitForEvent('download');
  await tabTo(page, 'adapter-download');
  await page.keyboard.press('Enter');
  expect((await waiting).suggestedFilename()).toMatch(/\.zip$/);
  expect(troubles).toEqual([]);
});
