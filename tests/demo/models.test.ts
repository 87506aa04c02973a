/** The models that come with the page are listed as their own files say. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/model/config';
import { parameterCount } from '../../src/model/shapes';
import { PageModels } from '../../workers/models/pageModels';

const page = new PageModels(new URL('../../public/demo/', import.meta.url), (url) =>
  Promise.resolve(new Uint8Array(readFileSync(url)).buffer),
);

it.each(['llama', 'qwen', 'mistral'])('%s', async (id) => {
  const summary = (await page.list()).find((model) => model.id === id);
  const files = await page.read(id);
  const config = readConfig(files?.rawConfig);
  expect(summary?.contextLength).toBe(config.contextLength);
  expect(summary?.parameters).toBe(parameterCount(config));
  // every weight is an f16, and the file has a head of some KB before them
  expect(files?.summary.bytes).toBeGreaterThan(2 * parameterCount(config));
  expect(files?.summary.bytes).toBeLessThan(2 * parameterCount(config) + 16_384);
});

it('of another name there is none', async () => {
  expect(await page.read('gpt')).toBeNull();
});
