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
  describeModel: (source) => remote.describeModel(source),
  downloadModel: (request, onProgress) => remote.downloadModel(request, proxy(onProgress)),
  pauseDownload: (id) => remote.pauseDownload(id),
  resumeDownload: (id, access, onProgress) => remote.resumeDownload(id, access, proxy(onProgress)),
  cancelDownload: (id) => remote.cancelDownload(id),
  downloads: () => remote.downloads(),
  addModel: (files, format, onProgress) => remote.addModel(files, format, proxy(onProgress)),
  storage: () => remote.storage(),
  remove: (kind, id) => remote.remove(kind, id),
  undoRemove: (kind, id) => remote.undoRemove(kind, id),
  exportModels: (ids) => remote.exportModels(ids),
  importModels: (file, onProgress) => remote.importModels(file, proxy(onProgress)),
  chatAssets: (id) => remote.chatAssets(id),
  modelConfig: (id) => remote.modelConfig(id),
  plan: (request) => remote.plan(request),
  train: (request, onEvent) => remote.train(transfer(request, buffersOf(request.data)), proxy(onEvent)),
  continueRun: (id, onEvent) => remote.continueRun(id, proxy(onEvent)),
  pause: () => remote.pause(),
  resume: () => remote.resume(),
  stop: () => remote.stop(),
  runs: () => remote.runs(),
  history: (id) => remote.history(id),
  testRows: (id) => remote.testRows(id),
  adapters: () => remote.adapters(),
  renameAdapter: (id, name) => remote.renameAdapter(id, name),
  exportAdapter: (id) => remote.exportAdapter(id),
  importAdapter: (id, files) => remote.importAdapter(id, moved(files)),
  answer: (request, onText) => remote.answer(request, proxy(onText)),
  score: (request, onProgress) => remote.score(request, proxy(onProgress)),
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

/** Deletes every database and setting of the page; the workers hold databases open, so they go first. */
async function forget(): Promise<void> {
  trainerWorker.terminate();
  datasetWorker.terminate();
  for (const { name } of await indexedDB.databases()) if (name !== undefined) await deleted(name);
  storage()?.clear();
  location.reload();
}
function deleted(name: string): Promise<void> {
  const request = indexedDB.deleteDatabase(name);
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error ?? new Error(`${name} could not be deleted.`));
    request.onblocked = () => reject(new Error('Another tab of this page is open. Close it and try again.'));
  });
}

const session = new Session({
  trainer,
  dataset,
  browser: { persist: () => navigator.storage.persist(), forget },
  get: (path) => fetch(path),
  store: storage(),
  origin: location.origin,
  deviceMemory: 'deviceMemory' in navigator ? Number(navigator.deviceMemory) : null,
});
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
