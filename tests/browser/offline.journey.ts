/** After the first visit the network is not needed: page, workers, model and lesson come from this machine. */
import { expect } from 'vitest';
import { serve } from '../../scripts/serve.mjs';
import { journey } from './app';
import { result, startShortRun } from './lesson';

journey('trains with the server gone and the network off', async ({ context, page, troubles }) => {
  const server = await serve({ port: 0 });
  try {
    await page.goto(server.url);
    await page.getByTestId('offline-ready').first().waitFor({ timeout: 60_000 });
  } finally {
    await server.close();
  }
  await context.setOffline(true);
  await page.reload();
  await startShortRun(page, 5);
  const figures = await result(page);
  expect(figures.steps).toBe(5);
  expect(troubles).toEqual([]);
});
