/** What a laptop does to a run: the graphics device goes away, the disk is full. Nothing is lost and the page goes on by itself. */
import type { Page, Worker } from 'playwright';
import { expect } from 'vitest';
import { journey } from './app';
import { pauseAndGoOn, reachStep, ready, result, startShortRun, told } from './lesson';

/** So many that a run is still going on when its end is prepared. */
const STEPS = 14;

/** Waits for the result of a run that has every step of its curve. */
async function wholeCurve(page: Page): Promise<void> {
  const figures = await result(page);
  expect(figures.steps).toBe(STEPS);
  expect(figures.curve.map((point) => point.step)).toEqual(
    Array.from({ length: STEPS }, (_, index) => index + 1),
  );
}

journey('a lost graphics device is replaced and the run goes on', async ({ browser, page, url }) => {
  await page.goto(url);
  await startShortRun(page, STEPS);
  await reachStep(page, 2);
  const kept = await pauseAndGoOn(page);
  await reachStep(page, kept + 1);
  const devtools = await browser.newBrowserCDPSession();
  // the answer comes from a process that is gone, so it is not awaited
  void devtools.send('Browser.crashGpuProcess').catch(() => undefined);
  await wholeCurve(page);
  expect(await page.getByText('The graphics device was lost').count()).toBeGreaterThan(0);
});

/** The trainer's own thread, as the browser sees it. */
function trainerOf(page: Page): Worker {
  const worker = page.workers().find((one) => one.url().includes('trainer'));
  if (!worker) throw new Error('The page has no trainer.');
  return worker;
}

journey('a trainer that dies is replaced, and the run goes on from its checkpoint', async ({ page, url }) => {
  await page.goto(url);
  await startShortRun(page, STEPS);
  await reachStep(page, 2);
  const kept = await pauseAndGoOn(page);
  await reachStep(page, kept + 1);
  // one that dies within ten seconds of its start is not replaced, and it starts a little after the page
  await page.waitForFunction(() => performance.now() > 12_000);
  await trainerOf(page).evaluate(() => {
    setTimeout(() => {
      throw new Error('thrown by the test');
    });
  });
  await page.getByTestId('run-failure').waitFor();
  expect(await page.getByTestId('run-failure').textContent()).toContain('thrown by the test');
  await page
    .getByRole('button', { name: `Go on at step ${kept}` })
    .first()
    .click({ timeout: 60_000 });
  await wholeCurve(page);
});

journey('a trainer that hangs is said to, and can be restarted', async ({ page, url }) => {
  await page.goto(url);
  await startShortRun(page, STEPS);
  await reachStep(page, 1);
  void trainerOf(page)
    .evaluate(() => {
      for (;;); // never comes back
    })
    .catch(() => undefined); // the test ends the worker under it
  await page.getByTestId('trainer-silent').waitFor({ timeout: 60_000 });
  await page.getByTestId('trainer-restart').click();
  await page.getByTestId('run-failure').waitFor();
  expect(await page.getByTestId('trainer-silent').count()).toBe(0);
  // the new one works: it answers with the plan of the next run
  await page.waitForFunction(() => {
    const button = document.querySelector('[data-testid=train-start]');
    return button instanceof HTMLButtonElement && !button.disabled;
  });
});

/** Lets the page store no more than this until the returned function is called. The limit lives as long as its session. */
async function limitDisk(page: Page, quotaSize: number): Promise<() => Promise<void>> {
  const devtools = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize });
  return () => devtools.send('Storage.overrideQuotaForOrigin', { origin }).then(() => undefined);
}

async function takeAdapter(page: Page): Promise<void> {
  const coming = page.waitForEvent('download');
  await page.getByTestId('adapter-download').first().click();
  expect((await coming).suggestedFilename()).toMatch(/\.zip$/);
}

journey('on a full disk a run goes to its end and its adapter can be taken away', async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  await limitDisk(page, 2_000_000); // the page itself takes about 1.9 MB of it
  await startShortRun(page, STEPS);
  const figures = await result(page);
  expect(figures.steps).toBe(STEPS);
  expect(await page.getByText('could not be saved').count()).toBeGreaterThan(0);
  await takeAdapter(page);
});

/** Chromium goes on with the room it last knew of for up to 30 s, so the run is paused until that is forgotten. */
const QUOTA_CACHE = 31_000;

journey('a disk that fills up in the middle of a run costs nothing that was saved', async ({ page, url }) => {
  await page.goto(url);
  await startShortRun(page, 8);
  await reachStep(page, 2);
  await page.getByTestId('train-pause').click(); // saves a checkpoint
  await page.locator('[data-testid=run-phase][data-phase=paused]').waitFor();
  const { step } = await told(page);
  const lift = await limitDisk(page, 2000);
  await page.waitForTimeout(QUOTA_CACHE);
  await page.getByTestId('train-resume').click();
  const figures = await result(page);
  expect(figures.steps).toBe(8);
  const banner = page.getByText('The browser has no room for the checkpoint of step 8').first();
  expect(await banner.textContent()).toContain('Training goes on, but could not be saved.');
  await takeAdapter(page);
  await lift();
  await page.reload();
  await page.evaluate(() => void (location.hash = '/train'));
  await page
    .getByRole('button', { name: `Go on at step ${step}` })
    .first()
    .waitFor({ timeout: 60_000 });
});
