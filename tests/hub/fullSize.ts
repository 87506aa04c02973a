/**
 * A checkpoint of true size through the built page in headless Chromium, measured:
 * `node scripts/run.mjs tests/hub/fullSize.ts STAGE [--model ORG/NAME] [--rate MB/s]`, after `npm run build`. Stages: `stream` (plain
 * fetch, then the download as q4, with the worker's memory), `kill` (a tab closed at 60 % goes on and ends byte-equal; after
 * `stream`), `train` (opens the kept model without the hub, three LoRA steps). They share a profile; `stream` begins it anew.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type BrowserContext, type CDPSession, type Page } from 'playwright';
import type * as Serving from '../../scripts/serve.mjs';
import type * as Shim from '../../scripts/shim.mjs';
import { findChromium, SWIFTSHADER_ARGS } from '../../scripts/system.mjs';
import type { RunEvent } from '../../src/protocol/events';
import type { DownloadProgress } from '../../src/protocol/models';
import { defaultSettings } from '../../src/protocol/settings';
import { ask, installTrainer, storedHashes, toldTo, valueOf } from '../browser/trainerPort';
import { KNOWN, synthetic, type KnownModel } from './configs';
import { standInHub } from './standIn';
import { syntheticRepository } from './synthetic';

// Not bundled with this file: they find the project by their own place.
const script = (name: string): string => pathToFileURL(resolve('scripts', name)).href;
const { serve } = (await import(/* @vite-ignore */ script('serve.mjs'))) as typeof Serving;
const { lavapipeInChromium } = (await import(/* @vite-ignore */ script('shim.mjs'))) as typeof Shim;

const args = process.argv.slice(2);
const [stage = 'stream'] = args;
const option = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const model = (option('--model') ?? 'Qwen/Qwen2.5-0.5B') as KnownModel;
if (!KNOWN.includes(model)) throw new Error(`--model is one of ${KNOWN.join(', ')}.`);
const rate = 1e6 * Number(option('--rate') ?? Infinity);
const port = { stream: 4790, train: 4790, kill: 4791 }[stage];
if (port === undefined) throw new Error('The stages are stream, kill and train.');
const profile = join(tmpdir(), 'loratory-full-size');
const notes = join(profile, 'hashes.json');
if (stage === 'stream') rmSync(profile, { recursive: true, force: true });
mkdirSync(profile, { recursive: true });
if (stage === 'kill' && !existsSync(notes))
  throw new Error('The stage kill compares with what the stage stream has kept: run that first.');

const ATTACH = { autoAttach: true, waitForDebuggerOnStart: false, flatten: false };
const made = syntheticRepository(synthetic(model));
const large = made.files.filter(({ name }) => name.endsWith('.safetensors'));
const total = large.reduce((sum, { bytes }) => sum + bytes, 0);
if (stage !== 'train')
  for (const file of large) console.log(`${file.name}: ${file.bytes} bytes, sha256 ${file.sha256}`);
const hub = await standInHub(async (name) => (name === model ? made : null), { redirects: false });
hub.rate = rate;
const server = await serve({ port, hub: (...request) => hub.answer(...request) });
const shim = lavapipeInChromium();
const executablePath = findChromium();
const open = (): Promise<BrowserContext> =>
  chromium.launchPersistentContext(join(profile, 'browser'), {
    ...(executablePath ? { executablePath } : {}),
    args: SWIFTSHADER_ARGS,
    ...('env' in shim ? { env: { ...process.env, ...shim.env } } : {}),
  });
let context = await open();
try {
  if (stage === 'stream') await stream();
  else if (stage === 'kill') await kill();
  else await train();
} finally {
  await context.close();
  await server.close();
  await hub.close();
}

async function visit(): Promise<Page> {
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && console.error(`page: ${message.text()}`));
  await page.goto(server.url);
  await installTrainer(page);
  return page;
}

function request() {
  return { repository: model, revision: 'main', hub: `${server.url}hub`, weightFormat: 'q4' };
}

async function stream(): Promise<void> {
  const page = await visit();
  valueOf(await ask(page, 'models', []));
  const plain = await plainFetch(page);
  console.log(`plain fetch: ${mb(total / plain)}/s (${plain.toFixed(1)} s)`);
  const memory = await workerMemory(page);
  const before = await memory();
  let peak = before;
  const watching = setInterval(
    () =>
      void memory().then(
        (now) => (peak = now > peak ? now : peak),
        () => undefined,
      ),
    250,
  );
  const started = performance.now();
  const end = valueOf(await ask(page, 'downloadModel', [request()], 0));
  const seconds = (performance.now() - started) / 1000;
  clearInterval(watching);
  if (end.state !== 'kept') throw new Error(end.state);
  const told = await toldTo<DownloadProgress>(page, 0);
  const through = told.filter(({ value }) => value.phase === 'weights');
  const span = ((through.at(-1)?.at ?? 0) - (through[0]?.at ?? 0)) / 1000;
  console.log(
    `download as q4: ${mb(total / span)}/s (${span.toFixed(1)} s; ${seconds.toFixed(1)} s with asking and the last write)`,
  );
  console.log(`share of plain fetch: ${((100 * plain) / span).toFixed(1)} %`);
  console.log(
    `workers' heap and buffers: ${mb(before)} before, at most ${mb(peak)}: growth ${mb(peak - before)}`,
  );
  console.log(`kept: ${mb(end.model.bytes)} of planes`);
  writeFileSync(
    notes,
    JSON.stringify({ id: end.model.id, seconds, hashes: await storedHashes(page, end.model.id) }),
  );
}

async function plainFetch(page: Page): Promise<number> {
  const names = large.map(({ name }) => `/hub/${model}/resolve/main/${name}`);
  return page.evaluate(async (paths) => {
    const started = performance.now();
    for (const path of paths) {
      const reader = (await fetch(path, { cache: 'no-store' })).body?.getReader();
      while (reader && !(await reader.read()).done);
    }
    return (performance.now() - started) / 1000;
  }, names);
}

/** JS heap, embedder heap and array buffers of all workers and of the workers they begin, through the debugger. */
async function workerMemory(page: Page): Promise<() => Promise<number>> {
  const session: CDPSession = await context.newCDPSession(page);
  const workers = new Set<Line>();
  const root = lineTo((message) => {
    const { method, params } = JSON.parse(message) as { method: 'Target.sendMessageToTarget'; params: never };
    void session.send(method, params).catch(() => undefined); // a worker that has ended
  }, workers);
  for (const method of ['attachedToTarget', 'detachedFromTarget', 'receivedMessageFromTarget'] as const)
    session.on(`Target.${method}`, (params: unknown) =>
      root.receive(JSON.stringify({ method: `Target.${method}`, params })),
    );
  await session.send('Target.setAutoAttach', ATTACH);
  if (workers.size === 0) throw new Error('The debugger sees no worker.');
  return async () => {
    const uses = await Promise.all([...workers].map((line) => line.ask('Runtime.getHeapUsage', {})));
    return uses.reduce(
      (sum, { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 }) =>
        sum + usedSize + embedderHeapUsedSize + backingStorageSize,
      0,
    );
  };
}

/** A line to the debugger of one target; lines to the workers it begins lie within it and join `workers`. */
interface Line {
  /** Resolves to nothing when the target ends first. */
  ask(method: string, params: object): Promise<Record<string, number>>;
  receive(message: string): void;
  end(): void;
}

function lineTo(post: (message: string) => void, workers: Set<Line>): Line {
  const replies = new Map<number, (result: Record<string, number>) => void>();
  const inner = new Map<string, Line>();
  let count = 0;
  const ask: Line['ask'] = (method, params) => {
    const id = ++count;
    post(JSON.stringify({ id, method, params }));
    return new Promise((done) => replies.set(id, done));
  };
  return {
    ask,
    end: () => replies.forEach((done) => done({})),
    receive(text) {
      const { id, result, method, params } = JSON.parse(text) as {
        id?: number;
        result?: Record<string, number>;
        method?: string;
        params?: { sessionId: string; message: string };
      };
      if (id !== undefined) replies.get(id)?.(result ?? {});
      if (params === undefined) return;
      const { sessionId, message } = params;
      const line = inner.get(sessionId);
      if (method === 'Target.receivedMessageFromTarget') line?.receive(message);
      if (method === 'Target.detachedFromTarget' && line) {
        workers.delete(line);
        line.end();
      }
      if (method !== 'Target.attachedToTarget') return;
      const begun = lineTo(
        (sent) => void ask('Target.sendMessageToTarget', { sessionId, message: sent }),
        workers,
      );
      inner.set(sessionId, begun);
      workers.add(begun);
      void begun.ask('Target.setAutoAttach', ATTACH);
    },
  };
}

async function kill(): Promise<void> {
  const { hashes } = JSON.parse(readFileSync(notes, 'utf8')) as { hashes: string[] };
  const first = await visit();
  void ask(first, 'downloadModel', [request()], 0).catch(() => undefined); // the tab is closed under it
  for (;;) {
    const latest = (await toldTo<DownloadProgress>(first, 0)).at(-1)?.value;
    if (latest && latest.bytesTotal > 0 && latest.bytesDone >= 0.6 * latest.bytesTotal) break;
    await first.waitForTimeout(50);
  }
  await context.close(); // the whole browser, as a power cut would
  context = await open();
  const page = await visit();
  const [left] = valueOf(await ask(page, 'downloads', []));
  if (!left) throw new Error('Nothing is unfinished.');
  console.log(`left at ${((100 * left.bytesDone) / left.bytesTotal).toFixed(1)} %`);
  const end = valueOf(await ask(page, 'resumeDownload', [left.id, {}], 0));
  if (end.state !== 'kept') throw new Error(end.state);
  const now = await storedHashes(page, end.model.id);
  const same = now.length > 0 && now.join() === hashes.join();
  console.log(
    `${now.length} parts after going on, ${hashes.length} without a break: ${same ? 'byte-equal' : 'DIFFERENT'}`,
  );
  if (!same) process.exitCode = 1;
}

async function train(): Promise<void> {
  const { id, seconds } = JSON.parse(readFileSync(notes, 'utf8')) as { id: string; seconds: number };
  hub.always = { kind: 'status', status: 404 };
  const page = await visit();
  const length = 128;
  const rows = 4;
  const ids = Int32Array.from({ length: rows * length }, (_, at) => 10 + ((at * 37) % 300));
  const packed = (count: number) => ({
    length,
    rows: count,
    ids: [...ids.slice(0, count * length)],
    targets: [...ids.slice(0, count * length)].map((_, at) =>
      at % length === length - 1 ? -1 : (ids[at + 1] ?? -1),
    ),
    documentStart: new Array<number>(count * length).fill(0),
    examples: count,
    supervised: count * (length - 1),
  });
  const settings = {
    ...defaultSettings,
    ...{ maxSteps: 3, sequenceLength: length, weightFormat: 'q4', batchExamples: 1, rank: 8 },
  };
  const started = performance.now();
  await page.evaluate(
    async ([modelId, chosen, train, validation]) => {
      const typed = (part: typeof train) => ({
        ...part,
        ids: Int32Array.from(part.ids),
        targets: Int32Array.from(part.targets),
        documentStart: Int32Array.from(part.documentStart),
      });
      const data = {
        ...{
          name: 'made',
          hash: '0'.repeat(64),
          train: typed(train),
          validation: typed(validation),
          test: [],
        },
        ...{ testIsValidation: false, split: { rule: 'none', seed: 1, train: 4, validation: 1, test: 0 } },
      };
      const scope = globalThis as typeof globalThis & {
        ask(m: string, a: unknown[], t: number): Promise<unknown>;
      };
      await scope.ask('train', [{ modelId, name: 'three steps', settings: chosen, data }], 1);
    },
    [id, settings, packed(rows), packed(1)] as const,
  );
  const events = await toldTo<RunEvent>(page, 1);
  const loading = events.filter(({ value }) => value.type === 'loading');
  const opened = ((loading.at(-1)?.at ?? 0) - (loading[0]?.at ?? 0)) / 1000;
  console.log(
    `opened from the cache in ${opened.toFixed(2)} s; the download took ${seconds.toFixed(1)} s: ${(seconds / opened).toFixed(1)} times, ` +
      `and ${((seconds + opened) / opened).toFixed(1)} times when the first load is counted until its weights are on the device too`,
  );
  for (const { value } of events) {
    if (value.type === 'step')
      console.log(
        `step ${value.report.step}: loss ${value.report.loss.toFixed(4)}, gradient ${value.report.gradientNorm.toFixed(4)}, ${(value.report.stepTime / 1000).toFixed(1)} s`,
      );
    if (value.type === 'failed') throw new Error(value.failure.message);
    if (value.type === 'finished')
      console.log(
        `finished: ${value.reason}, adapter ${value.adapterId}, ${((performance.now() - started) / 1000).toFixed(0)} s in all`,
      );
  }
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
