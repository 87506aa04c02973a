/** The main job, with keys alone up to its file: one button trains, the scores say what it brought, the adapter is a file that comes back. */
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import { expect } from 'vitest';
import { axeFaults, journey } from './app';
import { ready, result, tabTo } from './lesson';

journey(
  'one button trains the lesson, scores it, answers side by side and gives an adapter',
  async ({ page, url, troubles }) => {
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url())) foreign.push(request.url());
    });
    await page.goto(url);
    await ready(page);
    await tabTo(page, 'lesson-start');
    await page.keyboard.press('Enter');
    const figures = await result(page);

    expect(figures.lossLast).toBeLessThan(figures.lossFirst);
    expect(figures.exactMatchTuned).toBeGreaterThan(figures.exactMatchBase);
    expect(figures.rows).toBeGreaterThan(0);
    expect(figures.curve).toHaveLength(figures.steps);
    await page.getByTestId('scores').first().waitFor();
    expect(await axeFaults(page)).toEqual([]);

    await page.evaluate(() => void (location.hash = '/try'));
    await page.getByTestId('try-prompt').first().fill('Nina has six blue cups in the kitchen.');
    await page.getByTestId('try-send').first().click();
    for (const id of ['answer-base', 'answer-tuned']) {
      const answer = page.getByTestId(id).first();
      await answer.waitFor();
      await expect.poll(() => answer.textContent()).toMatch(/\w/);
    }

    await page.evaluate(() => void (location.hash = '/train'));
    const waiting = page.waitForEvent('download');
    await tabTo(page, 'adapter-download');
    await page.keyboard.press('Enter');
    const path = await (await waiting).path();
    const files = Object.keys(unzipSync(readFileSync(path)));
    expect(files.some((name) => name.endsWith('adapter_config.json'))).toBe(true);
    expect(files.some((name) => name.endsWith('adapter_model.safetensors'))).toBe(true);
    expect(files.some((name) => name.endsWith('.gguf'))).toBe(true);

    // The file comes back through the front door.
    await page.evaluate(() => void (location.hash = '/adapters'));
    const before = await page.getByTestId('adapter-download').count();
    await page
      .getByTestId('adapter-import')
      .first()
      .setInputFiles({
        name: 'adapter.zip',
        mimeType: 'application/zip',
        buffer: readFileSync(path),
      });
    await page.waitForFunction(
      (count) => document.querySelectorAll('[data-testid=adapter-download]').length > count,
      before,
    );
    expect(troubles).toEqual([]);
    expect(foreign).toEqual([]);
  },
);
