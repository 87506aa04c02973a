/** What a visitor does with the embedded lesson, and what the page says about a run. Presses real controls only. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright';

export interface Told {
  phase: string | null;
  step: number;
  steps: number;
}

export interface Result {
  model: string;
  steps: number;
  lossFirst: number;
  lossLast: number;
  evalLossBest: number;
  exactMatchBase: number;
  exactMatchTuned: number;
  rows: number;
  curve: { step: number; loss: number }[];
}

const MINUTE = 60_000;

/** Waits until the trainer is up and the one button can be pressed. */
export async function ready(page: Page, timeout = MINUTE): Promise<void> {
  await page.waitForFunction(
    () => {
      const button = document.querySelector('[data-testid=lesson-start]');
      return button instanceof HTMLButtonElement && !button.disabled;
    },
    null,
    { timeout },
  );
}

/** The first rows of a lesson: fewer to score than in the whole of it. */
const rowsOf = (lesson: string) =>
  readFileSync(`public/demo/${lesson}.jsonl`, 'utf8').split('\n').slice(0, 40).join('\n');

/** Opens a file of 40 rows of a lesson and starts a run of `steps` steps with the form. */
export async function startShortRun(page: Page, steps: number, lesson = 'shop-messages'): Promise<void> {
  await page.evaluate(() => void (location.hash = '/'));
  await ready(page);
  await page.evaluate(() => void (location.hash = '/data'));
  await page
    .getByTestId('data-file')
    .first()
    .setInputFiles({
      name: 'forty.jsonl',
      mimeType: 'application/jsonl',
      buffer: Buffer.from(rowsOf(lesson)),
    });
  await page.getByTestId('data-report').waitFor();
  await page.evaluate(() => void (location.hash = '/train'));
  await page.locator('#setting-maxSteps').waitFor({ state: 'attached' });
  if (!(await page.locator('#setting-maxSteps').isVisible()))
    await page.getByTestId('more-settings').first().click();
  for (const name of ['maxSteps', 'epochs']) {
    const field = page.locator(`#setting-${name}`);
    await field.fill(String(steps)); // a step at least in each epoch
    await field.press('Tab');
  }
  await page.getByTestId('train-start').click();
}

export function told(page: Page): Promise<Told> {
  return page.evaluate(() => {
    const read = (id: string, name: string) =>
      document.querySelector(`[data-testid=${id}]`)?.getAttribute(name) ?? null;
    return {
      phase: read('run-phase', 'data-phase'),
      step: Number(read('run-step', 'data-step')),
      steps: Number(read('run-step', 'data-steps')),
    };
  });
}

/** Pauses a run, which saves a checkpoint, and lets it go on. Gives the step of the checkpoint. */
export async function pauseAndGoOn(page: Page): Promise<number> {
  await page.getByTestId('train-pause').click();
  await page.locator('[data-testid=run-phase][data-phase=paused]').waitFor();
  const { step } = await told(page);
  await page.getByTestId('train-resume').click();
  return step;
}

/** Presses Tab until the control has the focus; fails when a whole round does not reach it. */
export async function tabTo(page: Page, testId: string): Promise<void> {
  for (let press = 0; press < 120; press++) {
    const here = await page.evaluate(() =>
      document.activeElement?.closest('[data-testid]')?.getAttribute('data-testid'),
    );
    if (here === testId) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`120 presses of Tab do not reach ${testId}.`);
}

/** Waits until the run has made `step` steps. */
export async function reachStep(page: Page, step: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => Number(document.querySelector('[data-testid=run-step]')?.getAttribute('data-step')) >= wanted,
    step,
    { timeout: 2 * MINUTE },
  );
}

/** Waits until a run is over and scored, and gives the page's own figures. A failure on the page ends the wait. */
export async function result(page: Page, timeout = 5 * MINUTE): Promise<Result> {
  const handle = await page.waitForFunction(
    () => {
      const { loratory } = window as typeof window & {
        loratory?: { lastResult: Result | null; failure: { message: string } | null };
      };
      if (loratory?.failure) throw new Error(loratory.failure.message);
      return loratory?.lastResult ?? null;
    },
    null,
    { timeout, polling: 250 },
  );
  const value = await handle.jsonValue();
  if (!value) throw new Error('The page has no result.');
  return value;
}
