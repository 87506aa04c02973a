/** What a laptop does to a run: the graphics device goes away, the disk is full. Nothing is lost and the page goes on by itself. */
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
