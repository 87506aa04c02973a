/**
 * Speaks with the built trainer worker from a page of the built app, in comlink's own messages: for what has no control on the
 * screen, such as the hashes of what is stored. Installs `ask` on the page.
 */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright';
import type { Result } from '../../src/protocol/result';
import type { TrainerApi } from '../../src/protocol/trainerApi';

interface Asking {
  ask(method: string, args: unknown[], told: number | null): Promise<unknown>;
  /** Everything that callbacks were told, with the time. */
  told: { at: number; value: unknown }[][];
}
type AskingWindow = typeof globalThis & Asking;

/** A worker of its own on this page; it goes when the page goes. */
export async function installTrainer(page: Page): Promise<void> {
  const name = readdirSync(resolve('dist/assets')).find((file) => /^trainer-.*\.js$/.test(file));
  if (name === undefined) throw new Error('dist/assets holds no trainer worker. Run: npm run build');
  await page.evaluate((path) => {
    const worker = new Worker(path, { type: 'module' });
    const waiting = new Map<string, (value: unknown) => void>();
    worker.addEventListener('message', ({ data }: MessageEvent<{ id: string; value: unknown }>) => {
      waiting.get(data.id)?.(data.value);
      waiting.delete(data.id);
    });
    const scope = globalThis as AskingWindow;
    scope.told = [];
    scope.ask = (method, args, told) =>
      new Promise((done) => {
        const id = crypto.randomUUID();
        waiting.set(id, done);
        const list: unknown[] = args.map((value) => ({ type: 'RAW', value }));
        const ports: MessagePort[] = [];
        if (told !== null) {
          const { port1, port2 } = new MessageChannel();
          const heard: { at: number; value: unknown }[] = (scope.told[told] = []);
          port1.onmessage = ({ data }: MessageEvent<{ id: string; argumentList?: { value: unknown }[] }>) => {
            if (!data.argumentList) return; // the other side lets go of the callback
            heard.push({ at: performance.now(), value: data.argumentList.map(({ value }) => value) });
            port1.postMessage({ id: data.id, type: 'RAW', value: undefined });
          };
          list.push({ type: 'HANDLER', name: 'proxy', value: port2 });
          ports.push(port2);
        }
        worker.postMessage({ id, type: 'APPLY', path: [method], argumentList: list }, ports);
      });
  }, `/assets/${name}`);
}

type Method = keyof TrainerApi;
type Value<M extends Method> = Awaited<ReturnType<TrainerApi[M]>>;

/** Calls a method; the callback of those that have one is remembered under `told`. */
export async function ask<M extends Method>(
  page: Page,
  method: M,
  args: unknown[],
  told: number | null = null,
): Promise<Value<M>> {
  const value: unknown = await page.evaluate(
    ([name, list, slot]) => (globalThis as AskingWindow).ask(name, list, slot),
    [method, args, told] as const,
  );
  return value as Value<M>;
}

/** The value of a result, or its failure as an error. */
export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.failure.kind}: ${result.failure.message}`);
  return result.value;
}

/** What a callback was told: all of it, each with the page's time. */
export async function toldTo<T>(page: Page, told: number): Promise<{ at: number; value: T }[]> {
  const heard = await page.evaluate((slot) => (globalThis as AskingWindow).told[slot] ?? [], told);
  return heard.map(({ at, value }) => ({ at, value: (value as T[])[0] as T }));
}

/** Hashes of all stored parts of a model, in order. */
export async function storedHashes(page: Page, model: string): Promise<string[]> {
  return page.evaluate(async (id) => {
    const opening = indexedDB.open('loratory');
    const db = await new Promise<IDBDatabase>((done, fail) => {
      opening.onsuccess = () => done(opening.result);
      opening.onerror = () => fail(opening.error ?? new Error('no database'));
    });
    const range = IDBKeyRange.bound([id, 0], [id, Infinity]);
    const store = db.transaction(['modelParts', 'modelChunks']);
    const parts = store.objectStore('modelParts').getAll(range);
    await new Promise((done) => (parts.onsuccess = done));
    const hashes: string[] = [];
    for (const part of parts.result as { index: number; sha256: string }[]) {
      const chunk = db.transaction('modelChunks').objectStore('modelChunks').get([id, part.index]);
      await new Promise((done) => (chunk.onsuccess = done));
      const bytes = await (chunk.result as Blob).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
      hashes.push(hex === part.sha256 ? hex : `${hex} is not ${part.sha256}`);
    }
    db.close();
    return hashes;
  }, model);
}
