/** The first look: every page opens in light and dark, without an error, a policy violation or an accessibility fault. */
import { expect } from 'vitest';
import { axeFaults, journey } from './app';

const PAGES = ['#/', '#/models', '#/storage', '#/data', '#/train', '#/try', '#/adapters', '#/benchmark'];

for (const colorScheme of ['light', 'dark'] as const) {
  journey(`every page opens cleanly in ${colorScheme}`, async ({ page, url, troubles }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const hash of PAGES) {
      await page.goto(url + hash);
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      await page.waitForLoadState('networkidle');
      expect(await axeFaults(page), hash).toEqual([]);
      expect(troubles, hash).toEqual([]);
    }
  });
}

journey('no page is wider than a 320 px screen', async ({ page, url }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  for (const hash of PAGES) {
    await page.goto(url + hash);
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width, hash).toBeLessThanOrEqual(320);
  }
});

journey('the page’s policy stops a script that was put into it', async ({ page, url }) => {
  await page.goto(url);
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.intruder = true';
    document.body.append(script);
    return 'intruder' in window;
  });
  expect(ran).toBe(false);
});
