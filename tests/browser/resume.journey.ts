/** A run outlives its tab: after a reload it goes on from the last checkpoint, on the same curve. */
import { expect } from 'vitest';
import { journey } from './app';
import { pauseAndGoOn, reachStep, ready, result, startShortRun, tabTo } from './lesson';

const STEPS = 10;

journey(
  'a run that was cut off by a reload gives the curve of one that was not',
  async ({ page, url, troubles }) => {
    page.on('dialog', (dialog) => void dialog.accept()); // "leave the page?"
    await page.goto(url);
    await startShortRun(page, STEPS);
    await reachStep(page, 2);
    const kept = await pauseAndGoOn(page);
    await reachStep(page, kept + 1);
    await page.reload();
    await page.evaluate(() => void (location.hash = '/'));
    await ready(page);
    const go = page.getByTestId('run-continue').first();
    await go.waitFor();
    expect(await go.textContent()).toContain(`step ${kept}`);
    await go.click();
    const cut = await result(page);
    expect(cut.steps).toBe(STEPS);
    expect(cut.curve.map((point) => point.step)).toEqual(
      Array.from({ length: STEPS }, (_, index) => index + 1),
    );

    await page.reload();
    await startShortRun(page, STEPS);
    const whole = await result(page);
    const furthest = Math.max(
      ...whole.curve.map(({ loss }, index) => Math.abs(loss - (cut.curve[index]?.loss ?? NaN))),
    );
    expect(furthest).toBeLessThan(1e-4);
    expect(troubles).toEqual([]);
  },
);

journey('a run pauses, goes on and is stopped with its best adapter', async ({ page, url, troubles }) => {
  await page.goto(url);
  await startShortRun(page, 400);
  await reachStep(page, 3);
  await page.getByTestId('train-pause').click();
  await page.getByTestId('train-resume').waitFor();
  const at = await page.getByTestId('run-step').first().getAttribute('data-step');
  await page.waitForTimeout(1500);
  expect(await page.getByTestId('run-step').first().getAttribute('data-step')).toBe(at);
  await page.getByTestId('train-resume').click();
  await reachStep(page, Number(at) + 2);
  await tabTo(page, 'train-stop');
  await page.keyboard.press('Enter');
  const figures = await result(page);
  expect(figures.steps).toBeLessThan(400);
  await page.getByTestId('adapter-download').first().waitFor();
  expect(troubles).toEqual([]);
});
