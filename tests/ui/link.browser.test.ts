/** The panel of a settings link: seen, read aloud, used with keys alone, and a broken link that leaves the page at work. */
import axe from 'axe-core';
import { afterEach, describe, expect, it } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import '../../src/app.css';
import { writeLink, type SettingsLink } from '../../src/link/settingsLink';
import { defaultSettings } from '../../src/protocol/settings';
import App from '../../src/ui/App.svelte';
import { facts } from './fakeModels';
import { screen } from './mountable';

/** The fake session's idea of the page's own address. */
const ORIGIN = 'http://localhost:5173';
const link: SettingsLink = {
  settings: {
    ...defaultSettings,
    ...{ rank: 4, learningRate: 0.003, targets: ['q_proj', 'v_proj'], mask: 'last-answer', rslora: true },
  },
  model: { from: 'hub', repository: facts.repository, commit: facts.commit },
  lesson: 'shop-messages',
};

/** Opens the page by an address, as one does who was sent it. */
async function arrive(fragment: string) {
  location.hash = `#/train?with=${fragment}`;
  const made = screen();
  await render(App, made.props);
  await made.session.load();
  return made;
}
const sent = async (of: SettingsLink = link) => arrive(await writeLink(of, ORIGIN));

async function faults(): Promise<string[]> {
  const { violations } = await axe.run(document);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}
async function reach(testid: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    if (document.activeElement?.getAttribute('data-testid') === testid) return;
    await userEvent.keyboard('{Tab}');
  }
  throw new Error(`${testid} cannot be reached with Tab.`);
}
const row = (field: string): string =>
  [...document.querySelectorAll(`[data-testid=link-differs][data-field=${field}] > *`)]
    .map((cell) => (cell.textContent ?? '').replace(/\s+/g, ' ').trim())
    .join(' | ');

document.documentElement.lang = 'en';
document.title = 'Loratory';
afterEach(() => {
  document.documentElement.removeAttribute('data-theme');
  location.hash = '';
});

describe.each(['light', 'dark'] as const)('in %s', (theme) => {
  it('the review, the end of it and the refusal have no accessibility fault', async () => {
    const { props } = await sent();
    props.theme.set(theme);
    await expect.element(page.getByTestId('link-review')).toBeVisible();
    expect(await faults()).toEqual([]);
    await page.getByTestId('link-apply').click();
    await expect.element(page.getByTestId('link-applied')).toBeVisible();
    expect(await faults()).toEqual([]);
    location.hash = '#/train?with=!';
    await expect.element(page.getByTestId('link-fault')).toBeVisible();
    expect(await faults()).toEqual([]);
  });
});

it('the panel fits a 320 px screen', async () => {
  await page.viewport(320, 700);
  await sent();
  await expect.element(page.getByTestId('link-review')).toBeVisible();
  expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(320);
  const table = document.querySelector('[data-testid=link-review] .table');
  expect(table?.scrollWidth).toBeLessThanOrEqual(table?.clientWidth ?? 0);
  await page.viewport(1280, 800);
});

it('names every difference in plain words, and nothing that is the same', async () => {
  await sent();
  await expect
    .element(page.getByTestId('link-review'))
    .toHaveTextContent(/5 of 26 settings differ from yours/);
  expect(row('model')).toBe(
    'Base model | Tiny Llama | Qwen/Qwen2.5-0.5B-Instruct commit 7ae5576, 16-bit not here yet',
  );
  expect(row('lesson')).toBe('Data | none yet | Lesson: Sort messages to a shop');
  expect(row('learningRate')).toBe('Learning rate | 0.0002 | 0.003');
  expect(row('targets')).toBe('Adapted layers | all seven | q_proj, v_proj');
  expect(row('mask')).toBe('Learn from | Every answer | The last answer only');
  expect(row('rslora')).toBe('Rank-stabilised scale (rsLoRA) | off | on');
  expect(row('epochs')).toBe('');
});

it('is read and applied with keys alone, and starts nothing', async () => {
  const { session, trainer } = await sent();
  await expect.element(page.getByTestId('link-apply')).toBeEnabled();
  expect(session.form.settings).toEqual({ ...defaultSettings });
  await reach('link-apply');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('link-applied')).toHaveTextContent('Nothing was started.');
  expect(session.form.settings).toEqual(link.settings);
  expect(document.activeElement?.id).toBe('main');
  expect(location.hash).toBe('#/train');
  expect(document.querySelector<HTMLInputElement>('#setting-learningRate')?.valueAsNumber).toBe(0.003);
  await reach('link-close');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByTestId('link-applied')).not.toBeInTheDocument();
  expect(trainer.calls).toEqual([]);
});

it('goes away when one keeps one’s own, also from the address', async () => {
  const { session } = await sent();
  await page.getByTestId('link-keep').click();
  await expect.element(page.getByTestId('link-review')).not.toBeInTheDocument();
  expect(session.form.settings).toEqual(defaultSettings);
  expect(location.hash).toBe('#/train');
});

it('leads to the model that is not here, filled in and not asked about, and waits for one to come back', async () => {
  const { session } = await sent();
  await page.getByTestId('link-look-up').click();
  await expect.element(page.getByTestId('hub-id')).toHaveValue(facts.repository);
  await expect.element(page.getByTestId('hub-id')).toHaveFocus();
  await expect.element(page.getByLabelText('Revision')).toHaveValue(facts.commit);
  expect(session.lookup.facts).toBeNull();
  location.hash = '#/train';
  await expect.element(page.getByTestId('link-review')).toBeVisible();
});

it('that is broken says what, where and what next, and the page goes on', async () => {
  const { session } = await arrive('A'.repeat(2 ** 20));
  const fault = page.getByTestId('link-fault');
  await expect.element(fault).toHaveTextContent('1048576 characters long');
  await expect.element(fault).toHaveTextContent('Where in the link: the address after “with=”.');
  await expect.element(fault).toHaveTextContent('Your settings are as they were. Ask for the link again');
  await page.getByTestId('link-close').click();
  await expect.element(fault).not.toBeInTheDocument();
  await page.getByTestId('link-copy').click();
  await expect
    .element(page.getByTestId('link-copied'))
    .toHaveTextContent('these settings and the model’s name; no data and no token.');
  expect(session.form.settings).toEqual(defaultSettings);
});

it('is called copied only while the settings are those it was made of', async () => {
  const { session } = await arrive('');
  await page.getByTestId('link-close').click();
  await page.getByTestId('link-copy').click();
  const told = page.getByTestId('link-copied');
  await expect.element(told).toHaveTextContent('no data and no token.');
  session.form.put('rank', 8);
  await expect.element(told).toHaveTextContent(/^$/);
  session.form.put('rank', null);
  await expect.element(page.getByTestId('link-copy')).toBeDisabled();
});
