/// <reference types="vite-plugin-pwa/vanillajs" />
/** Wires the page: two workers, the state, the screen and the service worker. Decides nothing. */
import { proxy, transfer, wrap } from 'comlink';
import { mount } from 'svelte';
import { registerSW } from 'virtual:pwa-register';
import './app.css';
import type { DatasetApi, NamedFile, TrainerApi } from './protocol/apis';
import type { TrainingData } from './protocol/data';
import type { Failure } from './protocol/events';
import { Clock } from './state/clock.svelte';
import { Elsewhere, type Channel } from './state/elsewhere.svelte';
import type { RunResult } from './state/result';
import { Route } from './state/route.svelte';
import { Session } from './state/session.svelte';
import { Theme } from './state/theme.svelte';
import { Update } from './state/update.svelte';
import App from './ui/App.svelte';

declare global {
  interface Window {
    /** For scripts that drive the page: the figures of the last finished run, and what went wrong. */
    loratory: { readonly lastResult: RunResult | null; readonly failure: Failure | null };
  }
}

const trainerWorker = new Worker(new URL('../workers/trainer.ts', import.meta.url), { type: 'module' });
const datasetWorker = new Worker(new URL('../workers/dataset.ts', import.meta.url), { type: 'module' });
const remote = wrap<TrainerApi>(trainerWorker);
const rows = wrap<DatasetApi>(datasetWorker);

/** Callbacks go as proxies, large arrays are moved and not copied; everything else passes as it is. */
const trainer: TrainerApi = {
  capabilities: () => remote.capabilities(),
  models: () => remote.models(),
  addModel: (files) => remote.addModel(moved(files)),
  removeModel: (id) => remote.removeModel(id),
  chatAssets: (id) => remote.chatAssets(id),
  plan: (request) => remote.plan(request),
  train: (request, onEvent) => remote.train(transfer(request, buffersOf(request.data)), proxy(onEvent)),
  continueRun: (id, onEvent) => remote.continueRun(id, proxy(onEvent)),
  pause: () => remote.pause(),
  resume: () => remote.resume(),
  stop: () => remote.stop(),
  runs: () => remote.runs(),
  history: (id) => remote.history(id),
  testRows: (id) => remote.testRows(id),
  removeRun: (id) => remote.removeRun(id),
  adapters: () => remote.adapters(),
  renameAdapter: (id, name) => remote.renameAdapter(id, name),
  removeAdapter: (id) => remote.removeAdapter(id),
  exportAdapter: (id) => remote.exportAdapter(id),
  importAdapter: (id, files) => remote.importAdapter(id, moved(files)),
  answer: (request, onText) => remote.answer(request, proxy(onText)),
  score: (request, onProgress) => remote.score(request, proxy(onProgress)),
  benchmark: (names, onRow) => remote.benchmark(names, proxy(onRow)),
  selfTest: (onCheck) => remote.selfTest(proxy(onCheck)),
  cancel: () => remote.cancel(),
};
const dataset: DatasetApi = {
  open: (file) => rows.open(transfer(file, [file.bytes])),
  prepare: (request) => rows.prepare(request),
  view: (index) => rows.view(index),
  take: () => rows.take(),
};

function moved(files: NamedFile[]): NamedFile[] {
  return transfer(
    files,
    files.map((file) => file.bytes),
  );
}
function buffersOf(data: TrainingData): ArrayBufferLike[] {
  const packed = [data.train, data.validation].flatMap((part) => [
    part.ids,
    part.targets,
    part.documentStart,
  ]);
  return [...new Set([...packed, ...data.test.map((row) => row.promptIds)].map((array) => array.buffer))];
}

/** Storage may be forbidden, in a private window for instance; the page works without. */
function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

const broadcast = new BroadcastChannel('loratory');
const channel: Channel = { postMessage: (message) => broadcast.postMessage(message), onmessage: null };
broadcast.onmessage = (event) => channel.onmessage?.(event);

const session = new Session({ trainer, dataset, get: (path) => fetch(path), store: storage() });
const update = new Update();
window.loratory = {
  get lastResult() {
    return session.result;
  },
  get failure() {
    return session.failure;
  },
};

trainerWorker.addEventListener('error', (event) => {
  event.preventDefault();
  session.job.lost(
    `The trainer stopped: ${event.message || 'its script could not be loaded'}. The last checkpoint is kept; reload the page and go on from it.`,
  );
  session.models.broken(event.message || 'its script could not be loaded');
});

const reload = registerSW({
  onNeedRefresh: () => (update.waiting = true),
  onOfflineReady: () => (update.offlineReady = true),
});
update.arm(() => reload(true));
if (navigator.serviceWorker?.controller) update.offlineReady = true;

const target = document.querySelector('#app');
if (target === null) throw new Error('index.html has no element #app to show the page in.');
mount(App, {
  target,
  props: {
    session,
    update,
    route: new Route(location),
    theme: new Theme(document.documentElement, storage()),
    clock: new Clock(),
    elsewhere: new Elsewhere(channel),
  },
});
void session.load();
