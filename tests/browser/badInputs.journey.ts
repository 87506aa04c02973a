/** Wrong files are answered in words, and the page stays usable. */
import { expect } from 'vitest';
import { journey } from './app';
import { ready } from './lesson';

const file = (name: string, text: string | Uint8Array) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(text),
});

const WRONG = [
  file('empty.jsonl', ''),
  file('broken.json', '[{"prompt": "a", "completion": '),
  file('deep.json', '['.repeat(200_000)),
  file(
    'picture.png',
    Uint8Array.from({ length: 2000 }, (_, index) => (index * 37) % 256),
  ),
  file('proto.csv', '__proto__,answer\na,b\n'),
];

journey(
  'wrong files are refused in words, and a good one is read after each',
  async ({ page, url, troubles }) => {
    await page.goto(url);
    for (const wrong of WRONG) {
      await page.evaluate(() => void (location.hash = '/'));
      await page.reload();
      await ready(page);
      await page.evaluate(() => void (location.hash = '/data'));
      await page.getByTestId('data-file').first().setInputFiles(wrong);
      const alert = page.getByRole('alert').filter({ hasText: /\w{3}/ }).first();
      await alert.waitFor({ timeout: 20_000 });
      // what the visit before left open stays
      const shown = (await page.getByTestId('data-report').allTextContents()).join();
      expect(shown).not.toContain(wrong.name);

      // A good file afterwards is read as if nothing had happened.
      const rows = Array.from(
        { length: 40 },
        (_, index) => `{"prompt":"Say ${index}","completion":"${index}"}`,
      );
      const good = `good-after-${wrong.name}.jsonl`;
      await page
        .getByTestId('data-file')
        .first()
        .setInputFiles(file(good, rows.join('\n')));
      await page.getByTestId('data-report').filter({ hasText: good }).waitFor();
      expect(troubles, wrong.name).toEqual([]);
    }
    // what was open last is open again, and nothing has to be chosen anew
    await page.reload();
    const report = page.getByTestId('data-report').first();
    await report.waitFor();
    expect(await report.textContent()).toContain('good-after-');
    await page.evaluate(() => void (location.hash = '/storage'));
    await page.getByTestId('stored-dataset').first().waitFor();
  },
);

journey('a file with some bad rows lists them with their lines', async ({ page, url }) => {
  await page.goto(url);
  await ready(page);
  await page.evaluate(() => void (location.hash = '/data'));
  const rows = Array.from({ length: 60 }, (_, index) => `{"prompt":"Say ${index}","completion":"${index}"}`);
  rows[6] = '{"prompt": 7}';
  await page
    .getByTestId('data-file')
    .first()
    .setInputFiles(file('mixed.jsonl', rows.join('\n')));
  expect(await page.getByTestId('data-errors').first().textContent()).toContain('7');
});
