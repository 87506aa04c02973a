/// <reference types="vite-plugin-pwa/vanillajs" />
/** Wires the page: two workers, the state, the screen and the service worker. Decides nothing. */
import { mount } from 'svelte';
import { registerSW } from 'virtual:pwa-register';
import './app.css';
import { connectTrainer } from '../workers/threads/connect';
import { connectDataset } from '../workers/threads/connectDataset';
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

const dataset = connectDataset(
  () => new Worker(new URL('../workers/dataset.ts', import.meta.url), { type: 'module' }),
);

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

const { trainer, restart, end } = connectTrainer(
  () => new Worker(new URL('../workers/trainer.ts', import.meta.url), { type: 'module' }),
  {
    replaced: () => void session.trainerReplaced(),
    broken: (reason) => session.models.broken(reason),
    silent: (time) => (session.silentFor = time),
  },
);

/** Deletes every database and setting of the page. The trainer holds databases open, so it goes first. */
async function forget(): Promise<void> {
  end();
  try {
    for (const { name } of await indexedDB.databases()) if (name !== undefined) await deleted(name);
  } catch (error) {
    restart('it was ended to delete everything, which did not work');
    throw error;
  }
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
  ...{ trainer, dataset, store: storage() },
  browser: { persist: () => navigator.storage.persist(), forget },
  get: (path) => fetch(path),
  origin: location.origin,
  deviceMemory: 'deviceMemory' in navigator ? Number(navigator.deviceMemory) : null,
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
const elsewhere = new Elsewhere(channel);
addEventListener('pagehide', () => {
  elsewhere.leave();
  session.form.keepNow();
});
addEventListener('pageshow', () => elsewhere.back());
mount(App, {
  target,
  props: {
    session,
    update,
    route: new Route(location),
    theme: new Theme(document.documentElement, storage()),
    clock: new Clock(),
    elsewhere,
  },
});
void session.load();
