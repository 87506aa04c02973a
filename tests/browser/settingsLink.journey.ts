/** A teacher copies a link to the settings, a pupil opens it on another machine; and links that were made to do harm. */
import { deflateRawSync } from 'node:zlib';
import type { Page } from 'playwright';
import { expect } from 'vitest';
import { axeFaults, journey, listen } from './app';
import { ready } from './lesson';

const packed = (text: string | Uint8Array): string => deflateRawSync(text).toString('base64url');

/** Opens the Train page's folded settings and puts a number into a field. */
async function enter(page: Page, field: string, value: number): Promise<void> {
  const input = page.locator(`#setting-${field}`);
  await input.waitFor({ state: 'attached' });
  if (!(await input.isVisible())) await page.getByTestId('more-settings').click();
  await input.fill(String(value));
}

journey('settings, model and lesson go from one machine to another', async (visitor) => {
  const { page, url, context, browser, troubles } = visitor;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(url);
  await ready(page);
  await page.evaluate(() => void (location.hash = '/data'));
  await page.getByTestId('lesson-shop-voice').click();
  await page.getByTestId('data-report').waitFor();
  await page.evaluate(() => void (location.hash = '/train'));
  await page.locator('input[name=model]').nth(1).check();
  await enter(page, 'rank', 6);
  await enter(page, 'learningRate', 0.004);
  await page.getByTestId('link-copy').click();
  await expect
    .poll(() => page.getByTestId('link-copied').textContent())
    .toMatch(/Copied\.\s+In the link are these settings, the model’s name, and the lesson’s name; no data/);
  const address = await page.evaluate(() => navigator.clipboard.readText());
  expect(address).toMatch(/#\/train\?with=[A-Za-z0-9_-]{100,700}$/);
  const model = await page.locator('input[name=model]:checked').inputValue();

  const elsewhere = await browser.newContext();
  const pupil = await elsewhere.newPage();
  listen(pupil, troubles);
  const fetched: string[] = [];
  pupil.on('request', (request) => fetched.push(request.url()));
  await pupil.goto(address);
  await pupil.getByTestId('link-review').waitFor();
  const fields = await pupil
    .getByTestId('link-differs')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-field')));
  expect(fields).toEqual(
    expect.arrayContaining(['model', 'lesson', 'rank', 'learningRate', 'batchExamples']),
  );
  expect(await pupil.locator('#setting-rank').inputValue()).toBe('16');
  expect(fetched.filter((one) => one.endsWith('.jsonl'))).toEqual([]);
  expect(await axeFaults(pupil)).toEqual([]);

  await pupil.locator('[data-testid=link-apply]:enabled').click();
  await pupil.getByTestId('link-applied').waitFor();
  expect(await pupil.locator('#setting-rank').inputValue()).toBe('6');
  expect(await pupil.locator('#setting-learningRate').inputValue()).toBe('0.004');
  expect(await pupil.locator('input[name=model]:checked').inputValue()).toBe(model);
  expect(fetched.filter((one) => one.endsWith('.jsonl')).map((one) => one.split('/').at(-1))).toEqual([
    'shop-voice.jsonl',
  ]);
  expect(await pupil.getByTestId('run-phase').getAttribute('data-phase')).toBe('idle');
  expect(pupil.url()).toMatch(/#\/train$/);
  const own = new URL(url).origin;
  expect(fetched.filter((one) => !one.startsWith(own) && !one.startsWith('blob:'))).toEqual([]);
  expect(troubles).toEqual([]);
});

journey(
  'links that were made to do harm are refused with a reason, and the page goes on',
  async (visitor) => {
    const { page, url, troubles } = visitor;
    const hub = (fields: object) =>
      packed(
        JSON.stringify({
          version: 1,
          settings: {},
          model: { from: 'hub', repository: 'a/b', commit: 'a'.repeat(40), ...fields },
        }),
      );
    const links: [string, RegExp][] = [
      ['A'.repeat(2 ** 20), /1048576 characters long/],
      [packed(new Uint8Array(2 ** 21)), /larger than 16384 bytes/],
      [packed('{"version":2,"settings":{}}'), /version 2; this page reads version 1/],
      [packed('{"version":1,"settings":{"learningRate":1e999}}'), /“Learning rate” cannot be Infinity/],
      [packed('{"version":1,"settings":{"learningRate":NaN}}'), /not a list of settings/],
      [packed('{"version":1,"settings":{"__proto__":{"rank":1}}}'), /"__proto__"/],
      [hub({ repository: 'javascript:alert(1)' }), /javascript:alert\(1\)/],
      [hub({ hub: 'https://elsewhere.example' }), /come from https:\/\/huggingface\.co/],
      [hub({ repository: '<img src=x onerror=alert(1)>' }), /<img src=x onerror=alert\(1\)>/],
      ['%00', /Character 1/],
    ];
    await page.goto(url);
    await ready(page);
    for (const [fragment, reason] of links) {
      await page.evaluate((hash) => void (location.hash = hash), `/train?with=${fragment}`);
      await expect.poll(() => page.getByTestId('link-fault').textContent()).toMatch(reason);
      expect(await page.getByTestId('link-review').count()).toBe(0);
    }
    await page.getByTestId('link-close').click();
    expect(await page.locator('#setting-rank').inputValue()).toBe('16');
    await page.evaluate(() => void (location.hash = '/'));
    await ready(page);
    expect(troubles).toEqual([]);
  },
);
