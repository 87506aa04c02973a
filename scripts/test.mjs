/**
 * `npm test`: everything, one stage after the other (those that take one core, at once), each with a time limit and its own output.
 * The last line is the sum, `N passed, N failed, N skipped`; a stage without cases of its own counts as one. Exit code 1 if
 * anything failed.
 * `npm test -- unit gpu` runs only those stages.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensureSystem } from './install.mjs';
import { findLavapipe, findSwiftShader } from './system.mjs';

const root = resolve(import.meta.dirname, '..');
const results = join(root, 'node_modules/.cache/loratory/results');
const MINUTE = 60_000;

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Count
 * @typedef {{ code: number | null, output: string, timedOut: boolean }} Ended
 * @typedef {{ name: string, command: string[], limit: number, count: (ended: Ended) => Count, driver?: () => string | null, beside?: boolean }} Stage
 */

/** @type {(ended: Ended) => Count} */
const one = ({ code }) => ({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 });

/** @param {string} project @param {number} limit @returns {Stage} */
function vitest(project, limit) {
  const file = join(results, `${project}.json`);
  return {
    name: project,
    command: bin(
      'vitest',
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ),
    limit,
    count: ({ code }) => {
      if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
      const report = JSON.parse(readFileSync(file, 'utf8'));
      const { numPassedTests: passed, numFailedTests: failed, numPendingTests, numTodoTests } = report;
      // A file that cannot be loaded, or an error between tests, fails the run without failing a test.
      return {
        passed,
        failed: code === 0 ? failed : Math.max(failed, 1),
        skipped: numPendingTests + numTodoTests,
      };
    },
  };
}

/** The runner prints one JSON line for each check, with `ok`. @type {(ended: Ended) => Count} */
function countOracle({ code, output }) {
  const checks = output.split('\n').flatMap((line) => {
    try {
      const value = line.startsWith('{') ? JSON.parse(line) : null;
      return typeof value?.ok === 'boolean' ? [value.ok] : [];
    } catch {
      return [];
    }
  });
  const passed = checks.filter((ok) => ok).length;
  const failed = checks.length - passed;
  return { passed, failed: code === 0 && checks.length > 0 ? failed : Math.max(failed, 1), skipped: 0 };
}

/** Our own copies of the tiny models, and further ones beside the project where there are any. */
function oracleFolders() {
  const own = join(root, 'tests/fixtures/models');
  const beside = resolve(root, '../shared/oracle/models');
  const further = existsSync(beside)
    ? readdirSync(beside).filter((name) => existsSync(join(beside, name, 'config.json')))
    : [];
  const names = readdirSync(own);
  return [
    ...names.map((name) => join(own, name)),
    ...further.filter((name) => !names.includes(name)).map((name) => join(beside, name)),
  ];
}

/** @param {string} name @param {string[]} args */
function bin(name, ...args) {
  return [process.execPath, join(root, 'node_modules', name, binOf(name)), ...args];
}

/** @param {string} name */
function binOf(name) {
  const { bin: entry } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
  return typeof entry === 'string' ? entry : entry[name];
}

/** `beside`: takes one core, and goes on at the same time as the stages next to it that do too. @type {Stage[]} */
const stages = [
  {
    name: 'types',
    command: bin('svelte-check', '--tsconfig', 'tsconfig.json'),
    limit: 5 * MINUTE,
    count: one,
    beside: true,
  },
  { name: 'eslint', command: bin('eslint', '.'), limit: 5 * MINUTE, count: one, beside: true },
  {
    name: 'prettier',
    command: bin('prettier', '--check', '--log-level', 'warn', '.'),
    limit: 5 * MINUTE,
    count: one,
    beside: true,
  },
  vitest('unit', 6 * MINUTE),
  // Mesa keeps the kernels that it compiled: the first time takes minutes, the next ones seconds
  vitest('llama', 15 * MINUTE),
  // kernels on SwiftShader, whole models (the oracle) on lavapipe: two drivers with other features
  { ...vitest('gpu', 30 * MINUTE), driver: findSwiftShader },
  { ...vitest('half', 10 * MINUTE), driver: findLavapipe },
  {
    name: 'oracle',
    command: [process.execPath, 'scripts/run.mjs', 'tests/oracle/run.ts', ...oracleFolders()],
    limit: 10 * MINUTE,
    count: countOracle,
  },
  { name: 'build', command: bin('vite', 'build', '--logLevel', 'warn'), limit: 2 * MINUTE, count: one },
  vitest('browser', 8 * MINUTE),
  vitest('journey', 30 * MINUTE),
];

/** The process groups of the stages that are running, so that nothing they started outlives them. @type {Set<number>} */
const groups = new Set();
/** @param {number} group */
function endGroup(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
  groups.delete(group);
}
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.on(signal, () => {
    groups.forEach(endGroup);
    process.exit(1);
  });

/** The stage's own software driver, where nobody named another. @param {Stage} stage */
function environmentOf(stage) {
  const driver = stage.driver?.();
  if (!driver || process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return process.env;
  return { ...process.env, VK_ICD_FILENAMES: driver };
}

/** @param {Stage} stage @returns {Promise<Ended>} */
function run(stage) {
  return new Promise((done) => {
    const child = spawn(/** @type {string} */ (stage.command[0]), stage.command.slice(1), {
      cwd: root,
      detached: true, // its own process group
      env: environmentOf(stage),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    const end = () => pid !== undefined && endGroup(pid);
    if (pid !== undefined) groups.add(pid);
    let output = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      end();
    }, stage.limit);
    child.stdout.on('data', (data) => {
      output += String(data);
      process.stdout.write(data);
    });
    child.stderr.on('data', (data) => process.stderr.write(data));
    // A grandchild may keep the pipes open: what counts is that the stage's own process has ended.
    child.on('exit', (code) => {
      setTimeout(end, 200);
      setTimeout(() => {
        clearTimeout(timer);
        done({ code, output, timedOut });
      }, 400);
    });
    child.on('error', (error) => {
      console.error(error.message);
      clearTimeout(timer);
      done({ code: 1, output, timedOut });
    });
  });
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  console.error(
    `No such stage: ${unknown.join(', ')}. There are: ${stages.map((stage) => stage.name).join(', ')}.`,
  );
  process.exit(2);
}

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const table = [];
try {
  ensureSystem({ driver: true });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exit(1);
}
const wanted = stages.filter(({ name }) => asked.length === 0 || asked.includes(name));
while (wanted.length > 0) {
  const next = wanted.findIndex(({ beside }) => !beside);
  await Promise.all(wanted.splice(0, next < 0 ? wanted.length : Math.max(next, 1)).map(carryOut));
}

/** @param {Stage} stage */
async function carryOut(stage) {
  console.log(`\n── ${stage.name} ──`);
  const began = Date.now();
  const ended = await run(stage);
  const count = stage.count(ended);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  if (ended.timedOut) {
    count.failed = Math.max(count.failed, 1);
    console.log(`${stage.name} did not end within ${stage.limit / 1000} s and was stopped.`);
  }
  for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += count[key];
  table.push(`${stage.name.padEnd(9)} ${sum(count)}, ${seconds} s`);
}

/** @param {Count} count */
function sum({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

console.log(`\n${table.join('\n')}\n`);
console.log(sum(total));
process.exit(total.failed > 0 ? 1 : 0);
