/// <reference types="vite-plugin-pwa/vanillajs" />
/** Wires the page: two workers, the state, the screen and the service worker. Decides nothing. */
import { transfer, wrap } from 'comlink';
import { mount } from 'svelte';
import { registerSW } from 'virtual:pwa-register';
import './app.css';
import { connectTrainer } from '../workers/connect';
import type { DatasetApi } from './protocol/apis';
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

const datasetWorker = new Worker(new URL('../workers/dataset.ts', import.meta.url), { type: 'module' });
const rows = wrap<DatasetApi>(datasetWorker);

const dataset: DatasetApi = {
  open: (file) => rows.open(transfer(file, [file.bytes])),
  prepare: (request) => rows.prepare(request),
  view: (index) => rows.view(index),
  take: () => rows.take(),
};

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

const { trainer, restart } = connectTrainer(
  () => new Worker(new URL('../workers/trainer.ts', import.meta.url), { type: 'module' }),
  {
    replaced: () => void session.trainerReplaced(),
    broken: (reason) => session.models.broken(reason),
    silent: (time) => (session.silentFor = time),
  },
);
const session = new Session({
  ...{ trainer, dataset, store: storage() },
  get: (path) => fetch(path),
  restartTrainer: () => restart('it did not answer and was ended'),
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
