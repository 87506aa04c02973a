/**
 * `npm run demo`: the main job without a screen. Serves the built app, opens it in headless Chromium and does what a
 * person would: chooses, presses the button, watches, downloads the adapter. The last line is JSON, every figure read
 * from the page. Options: --model llama|qwen|mistral|DIR, --data FILE, --steps N, --driver swiftshader|lavapipe,
 * --out DIR, --json (that line only).
 */
import { mkdirSync, mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { ensureSystem } from './install.mjs';
import { serve } from './serve.mjs';
import { lavapipeInChromium } from './shim.mjs';
import { SWIFTSHADER_ARGS } from './system.mjs';

const MINUTE = 60_000;
/** No new step, no new phase for this long: the run is stuck. */
const SILENCE = 5 * MINUTE;

/** @typedef {import('playwright').Page} Page */

/** @param {string} message @returns {never} */
function usage(message) {
  console.error(`${message}\nnpm run demo -- [--model llama|qwen|mistral|DIR] [--data FILE] [--steps N]`);
  console.error('                [--driver swiftshader|lavapipe] [--out DIR] [--json]');
  process.exit(2);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        model: { type: 'string' },
        data: { type: 'string' },
        steps: { type: 'string' },
        driver: { type: 'string' },
        out: { type: 'string' },
        json: { type: 'boolean' },
      },
    });
    const { model, data, out } = values;
    const steps = values.steps === undefined ? null : Number(values.steps);
    if (steps !== null && !(Number.isInteger(steps) && steps > 0))
      usage(`--steps wants a whole number above 0, not ${values.steps}.`);
    const driver = values.driver ?? 'swiftshader';
    if (driver !== 'swiftshader' && driver !== 'lavapipe')
      usage(`--driver is swiftshader or lavapipe, not ${driver}.`);
    return { model, data, steps, driver, out, quiet: values.json === true };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

const options = readOptions();
/** @param {string} line */
const say = (line) => options.quiet || console.log(line);

/** @param {Page} page @param {string} id */
const at = (page, id) => page.getByTestId(id).first();

/** @param {Page} page @param {string} path */
async function open(page, path) {
  await page.evaluate((hash) => void (location.hash = hash), path);
}

/** Chooses a model by a part of its id, where the page offers a choice. @param {Page} page @param {string} name */
async function chooseModel(page, name) {
  const select = at(page, 'model-select');
  await select.waitFor();
  const ids = await select
    .locator('option')
    .evaluateAll((all) => all.map((one) => /** @type {HTMLOptionElement} */ (one).value));
  const id = ids.find((one) => one.toLowerCase().includes(name.toLowerCase()));
  if (!id) throw new Error(`No model named ${name}. The page offers: ${ids.join(', ')}.`);
  await select.selectOption(id);
}

/** Opens a model folder through the page's own file input. @param {Page} page @param {string} folder */
async function openModel(page, folder) {
  await open(page, '/models');
  const files = readdirSync(folder).filter((name) => /\.(json|safetensors|gguf|jinja)$/.test(name));
  await at(page, 'model-files').setInputFiles(files.map((name) => join(folder, name)));
  const failure = at(page, 'download-failure');
  await at(page, 'download-arrived')
    .or(failure)
    .waitFor({ timeout: 5 * MINUTE });
  if (await failure.isVisible()) throw new Error(await failure.innerText());
  await open(page, '/train');
}

/** Brings the page to the point where it trains. @param {Page} page */
async function start(page) {
  const { model, data, steps } = options;
  const folder = model !== undefined && !/^(llama|qwen|mistral)$/.test(model) ? resolve(model) : null;
  const button = at(page, 'lesson-start');
  await page.waitForFunction(
    () => {
      const one = document.querySelector('[data-testid=lesson-start]');
      return one instanceof HTMLButtonElement && !one.disabled;
    },
    null,
    { timeout: 2 * MINUTE },
  );
  if (model && !folder) await chooseModel(page, model);
  if (!data && steps === null && !folder) {
    await button.click();
    return;
  }
  if (folder) await openModel(page, folder);
  await open(page, '/data');
  if (data) await at(page, 'data-file').setInputFiles(resolve(data));
  else await page.locator('button[data-testid^="lesson-"]:not([data-testid=lesson-start])').first().click();
  await at(page, 'data-report').waitFor({ timeout: MINUTE });
  await open(page, '/train');
  if (steps !== null) {
    const field = page.locator('#setting-maxSteps');
    await field.waitFor({ state: 'attached' });
    if (!(await field.isVisible())) await at(page, 'more-settings').click();
    await field.fill(String(steps));
    await field.press('Tab');
  }
  await at(page, 'train-start').click({ timeout: MINUTE });
}

/** What the page says right now. @param {Page} page */
function look(page) {
  return page.evaluate(() => {
    /** @param {string} id @param {string} name */
    const read = (id, name) => document.querySelector(`[data-testid=${id}]`)?.getAttribute(name) ?? null;
    const scoring = document.querySelector('progress[aria-label=Scoring]');
    const { loratory } =
      /** @type {{ loratory?: { lastResult: unknown, failure: { message: string } | null } }} */ (
        /** @type {unknown} */ (window)
      );
    return {
      phase: read('run-phase', 'data-phase'),
      step: read('run-step', 'data-step'),
      steps: read('run-step', 'data-steps'),
      loss: read('run-loss', 'data-loss'),
      evalLoss: read('run-eval-loss', 'data-loss'),
      scored: scoring instanceof HTMLProgressElement ? `${scoring.value} of ${scoring.max} answers` : null,
      result: loratory?.lastResult ?? null,
      failure: loratory?.failure?.message ?? null,
    };
  });
}

/** Prints progress until the run is over and scored. @param {Page} page @param {string[]} troubles */
async function watch(page, troubles) {
  let last = '';
  let changed = Date.now();
  for (;;) {
    const { phase, step, steps, loss, evalLoss, scored, result, failure } = await look(page);
    if (failure) throw new Error(failure);
    if (troubles.length > 0) throw new Error(troubles.join('\n'));
    if (result) return /** @type {Record<string, unknown>} */ (result);
    const number = (/** @type {string | null} */ text) => (text ? Number(text).toFixed(4) : '–');
    const line =
      step && phase === 'running'
        ? `step ${step} of ${steps}  loss ${number(loss)}  held-out ${number(evalLoss)}`
        : phase === 'scoring' && scored !== null
          ? `scoring: ${scored}`
          : (phase ?? 'starting');
    if (line !== last) {
      say(line);
      last = line;
      changed = Date.now();
    } else if (Date.now() - changed > SILENCE) {
      throw new Error(`Nothing has changed for ${SILENCE / MINUTE} minutes. The last word was: ${line}.`);
    }
    await page.waitForTimeout(500);
  }
}

/** @param {Page} page @param {string} folder */
async function download(page, folder) {
  const waiting = page.waitForEvent('download', { timeout: 2 * MINUTE });
  await at(page, 'adapter-download').click();
  const file = await waiting;
  const path = join(folder, file.suggestedFilename());
  await file.saveAs(path);
  return path;
}

/** SwiftShader has no shader-f16, lavapipe has it: tells which of the two the browser really uses. @param {Page} page */
async function checkLavapipe(page) {
  const half = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter?.features.has('shader-f16') ?? false;
  });
  if (!half)
    throw new Error('--driver lavapipe: Chromium did not take lavapipe; its WebGPU has no shader-f16.');
}

async function main() {
  const folder = options.out ? resolve(options.out) : mkdtempSync(join(tmpdir(), 'loratory-demo-'));
  mkdirSync(folder, { recursive: true });
  const { chromium: executablePath } = ensureSystem({ driver: false });
  /** @type {Record<string, string>} */
  let extra = {};
  if (options.driver === 'lavapipe') {
    const shim = lavapipeInChromium();
    if ('reason' in shim) throw new Error(`--driver lavapipe cannot be used: ${shim.reason}.`);
    extra = shim.env;
  }
  const server = await serve({ port: 0 });
  const env = /** @type {Record<string, string>} */ ({ ...process.env, ...extra });
  const browser = await chromium.launch({ executablePath, args: SWIFTSHADER_ARGS, env });
  try {
    const page = await browser.newPage({ acceptDownloads: true });
    /** @type {string[]} */
    const troubles = [];
    page.on('pageerror', (error) => troubles.push(`The page threw: ${error.message}`));
    page.on('crash', () => troubles.push('The page crashed.'));
    page.on('console', (message) => {
      if (message.type() === 'error') console.error(`page: ${message.text()}`);
    });
    await page.goto(server.url);
    if (options.driver === 'lavapipe') await checkLavapipe(page);
    await start(page);
    const result = await watch(page, troubles);
    // Chromium takes it only under SwiftShader's id, so the page cannot know its name
    if (options.driver === 'lavapipe') result.device = 'lavapipe (software driver)';
    const adapter = await download(page, folder);
    if (troubles.length > 0) throw new Error(troubles.join('\n'));
    report(result, adapter);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** @param {Record<string, unknown>} result @param {string} adapter */
function report(result, adapter) {
  const percent = (/** @type {unknown} */ share) =>
    typeof share === 'number' ? `${(share * 100).toFixed(1)} %` : 'not scored';
  say('');
  say(
    `${result.model} on ${result.device} (${result.backend}), ${result.steps} steps in ${result.seconds} s`,
  );
  say(
    result.rows === 0
      ? 'exact match: not scored, since no held-out row ends in an answer'
      : `exact match on ${result.rows} held-out rows: base ${percent(result.exactMatchBase)}, tuned ${percent(result.exactMatchTuned)}`,
  );
  say(`adapter: ${adapter} (${statSync(adapter).size} bytes)`);
  const names = [
    'model',
    'backend',
    'device',
    'steps',
    'lossFirst',
    'lossLast',
    'evalLossFirst',
    'evalLossBest',
  ];
  const more = ['exactMatchBase', 'exactMatchTuned', 'rows', 'seconds', 'peakBytes'];
  const figures = Object.fromEntries([...names, ...more].map((name) => [name, result[name] ?? null]));
  console.log(JSON.stringify({ ...figures, adapter }));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
