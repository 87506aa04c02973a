/** Every page in every state a person meets, in light and dark: no accessibility fault, nothing wider than the screen. */
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';
import { page } from 'vitest/browser';
import { show, type State } from './states';

async function faults(): Promise<string[]> {
  const { violations } = await axe.run(document, { rules: { region: { enabled: true } } });
  return violations.flatMap((one) =>
    one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 120)} ${node.failureSummary ?? ''}`),
  );
}

const cases: [State, string][] = [
  ['fresh', '#/'],
  ['fresh', '#/models'],
  ['downloading', '#/models'],
  ['found', '#/models'],
  ['fresh', '#/storage'],
  ['deleted', '#/storage'],
  ['fresh', '#/data'],
  ['fresh', '#/try'],
  ['fresh', '#/adapters'],
  ['opened', '#/data'],
  ['opened', '#/train'],
  ['running', '#/train'],
  ['finished', '#/train'],
  ['failed', '#/train'],
  ['locked', '#/train'],
  ['finished', '#/try'],
  ['finished', '#/adapters'],
  ['fresh', '#/benchmark'],
  ['measured', '#/benchmark'],
];

describe.each(['light', 'dark'] as const)('in %s', (theme) => {
  it.each(cases)('%s %s has no accessibility fault', async (state, hash) => {
    const { props } = await show(state, hash);
    props.theme.set(theme);
    for (const details of document.querySelectorAll('details')) details.open = true;
    expect(await faults()).toEqual([]);
  });
});

it.each(cases)('%s %s fits a 320 px screen', async (state, hash) => {
  await page.viewport(320, 700);
  await show(state, hash);
  for (const details of document.querySelectorAll('details')) details.open = true;
  expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(320);
  await page.viewport(1280, 800);
});
