/** What a laptop does to a run: the graphics device goes away, the disk is full. Nothing is lost and the page goes on by itself. */
import type { Page, Worker } from 'playwright';
import { expect } from 'vitest';
import { journey } from './app';
import { reachStep, ready, result, startShortRun } from './lesson';

journey('a lost graphics device is replaced and the run goes on', async ({ browser, page, url }) => {
  await page.goto(url);
  await startShortRun(page, 26);
  await reachStep(page, 21); // the checkpoint is at step 20
  const devtools = await browser.newBrowserCDPSession();
  // the answer comes from a process that is gone, so it is not awaited
  void devtools.send('Browser.crashGpuProcess').catch(() => undefined);
  const figures = await result(page);
  expect(figures.steps).toBe(26);
  expect(figures.curve.map((point) => point.step)).toEqual(
    Array.from({ length: 26 }, (_, index) => index + 1),
  );
  expect(await page.getByText('The graphics device was lost').count()).toBeGreaterThan(0);
});

/** The trainer's own thread, as the browser sees it. */
function trainerOf(page: Page): Worker {
  const worker = page.workers().find((one) => one.url().includes('trainer'));
  if (!worker) throw new Error('The page has no trainer.');
  return worker;
}

async function goOn(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Go on at step 20' }).first();
  await button.click({ timeout: 60_000 });
  const figures = await result(page);
  expect(figures.steps).toBe(26);
  expect(figures.curve.map((point) => point.step)).toEqual(
    Array.from({ length: 26 }, (_, index) => index + 1),
  );
}

journey('a trainer that dies is replaced, and the run goes on from its checkpoint', async ({ page, url }) => {
  await page.goto(url);
  await startShortRun(page, 26);
  await reachStep(page, 21); // the checkpoint is at step 20
  await page.waitForTimeout(10_000 - (await page.evaluate(() => Math.min(10_000, performance.now()))));
  await trainerOf(page).evaluate(() => {
    setTimeout(() => {
      throw new Error('thrown by the test');
    });
  });
  await page.getByTestId('run-failure').waitFor();
  expect(await page.getByTestId('run-failure').textContent()).toContain('thrown by the test');
  await goOn(page);
});

journey('a trainer that hangs is said to, and can be restarted', async ({ page, url }) => {
  await page.goto(url);
  await startShortRun(page, 26);
  await reachStep(page, 21);
  void trainerOf(page)
    .evaluate(() => {
      for (;;); // never comes back
    })
    .catch(() => undefined); // the test ends the worker under it
  await page.getByTestId('trainer-silent').waitFor({ timeout: 60_000 });
  await page.getByTestId('trainer-restart').click();
  await page.getByTestId('run-failure').waitFor();
  expect(await page.getByTestId('trainer-silent').count()).toBe(0);
  await goOn(page);
});

journey(
  'on a full disk a run goes to its end and its adapter can be taken away',
  async ({ context, page, url }) => {
    await page.goto(url);
    await ready(page);
    const devtools = await context.newCDPSession(page);
    // the page itself takes about 1.9 MB of it
    await devtools.send('Storage.overrideQuotaForOrigin', {
      origin: new URL(url).origin,
      quotaSize: 2_000_000,
    });
    await startShortRun(page, 26);
    const figures = await result(page);
    expect(figures.steps).toBe(26);
    expect(await page.getByText('could not be saved').count()).toBeGreaterThan(0);
    const coming = page.waitForEvent('download');
    await page.getByTestId('adapter-download').first().click();
    expect((await coming).suggestedFilename()).toMatch(/\.zip$/);
  },
);
