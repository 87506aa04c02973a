/**
 * The trainer as the page calls it: one worker at a time. When it dies another takes its place, calls that waited for the dead one
 * are refused with the reason, and the page is told. Silence is told too, but never ends a worker by itself: on the processor a
 * step may be long. Knows nothing of what the calls mean.
 */
import { proxy, transfer, type Remote } from 'comlink';
import type { NamedFile } from '../../src/protocol/adapters';
import type { TrainerApi } from '../../src/protocol/trainerApi';
import type { TrainingData } from '../../src/protocol/data';
import type { Milliseconds } from '../../src/units';
import { thread, type Thread } from './thread';

export interface Watcher {
  /** Another worker has taken over; what the old one was doing is lost. */
  replaced(reason: string): void;
  /** Workers die as soon as they start; none is started any more. */
  broken(reason: string): void;
  /** How long the worker has not answered; null when it answers again. */
  silent(time: Milliseconds | null): void;
}

export interface Connection {
  trainer: TrainerApi;
  /** Ends the worker and starts another; for one that does not answer. */
  restart(reason: string): void;
  /** Ends the worker and starts no other, so that nothing holds the database open. */
  end(): void;
}

const BEAT: Milliseconds = 5000;
const SILENT: Milliseconds = 15_000;

export function connectTrainer(start: () => Worker, watcher: Watcher): Connection {
  let life = begin();
  watch();

  function begin(): Thread<TrainerApi> {
    const own: Thread<TrainerApi> = thread(start(), (reason) => {
      if (life === own) lose(reason);
    });
    return own;
  }

  function lose(reason: string): void {
    const gone = life;
    const again = gone.settled;
    if (again) life = begin();
    gone.end(new Error(`the trainer stopped (${reason}). The last checkpoint is kept`));
    if (again) watcher.replaced(reason);
    else watcher.broken(reason);
  }

  function watch(): void {
    let asked: Milliseconds | null = null;
    let told = false;
    setInterval(() => {
      const now = performance.now();
      if (asked !== null) {
        if (now - asked < SILENT) return;
        told = true;
        watcher.silent(now - asked);
        return;
      }
      asked = now;
      const heard = () => {
        asked = null;
        if (told) watcher.silent(null);
        told = false;
      };
      call((remote) => remote.ping()).then(heard, heard);
    }, BEAT);
  }

  function call<R extends Promise<unknown>>(work: (remote: Remote<TrainerApi>) => R): Promise<Awaited<R>> {
    return life.call(work);
  }

  /** Callbacks go as proxies, large arrays are moved and not copied; everything else passes as it is. */
  const trainer: TrainerApi = {
    ping: () => call((remote) => remote.ping()),
    capabilities: () => call((remote) => remote.capabilities()),
    models: () => call((remote) => remote.models()),
    describeModel: (source) => call((remote) => remote.describeModel(source)),
    downloadModel: (request, onProgress) =>
      call((remote) => remote.downloadModel(request, proxy(onProgress))),
    pauseDownload: (id) => call((remote) => remote.pauseDownload(id)),
    resumeDownload: (id, access, onProgress) =>
      call((remote) => remote.resumeDownload(id, access, proxy(onProgress))),
    cancelDownload: (id) => call((remote) => remote.cancelDownload(id)),
    downloads: () => call((remote) => remote.downloads()),
    hubRequests: () => call((remote) => remote.hubRequests()),
    addModel: (files, format, onProgress) =>
      call((remote) => remote.addModel(files, format, proxy(onProgress))),
    storage: () => call((remote) => remote.storage()),
    remove: (kind, id) => call((remote) => remote.remove(kind, id)),
    undoRemove: (kind, id) => call((remote) => remote.undoRemove(kind, id)),
    keepDataset: (file) => call((remote) => remote.keepDataset(file)),
    keptDataset: () => call((remote) => remote.keptDataset()),
    exportModels: (ids) => call((remote) => remote.exportModels(ids)),
    importModels: (file, onProgress) => call((remote) => remote.importModels(file, proxy(onProgress))),
    modelConfig: (id) => call((remote) => remote.modelConfig(id)),
    chatAssets: (id) => call((remote) => remote.chatAssets(id)),
    plan: (request) => call((remote) => remote.plan(request)),
    train: (request, onEvent) =>
      call((remote) => remote.train(transfer(request, buffersOf(request.data)), proxy(onEvent))),
    continueRun: (id, onEvent) => call((remote) => remote.continueRun(id, proxy(onEvent))),
    pause: () => call((remote) => remote.pause()),
    resume: () => call((remote) => remote.resume()),
    stop: () => call((remote) => remote.stop()),
    runs: () => call((remote) => remote.runs()),
    history: (id) => call((remote) => remote.history(id)),
    testRows: (id) => call((remote) => remote.testRows(id)),
    adapters: () => call((remote) => remote.adapters()),
    renameAdapter: (id, name) => call((remote) => remote.renameAdapter(id, name)),
    exportAdapter: (id) => call((remote) => remote.exportAdapter(id)),
    importAdapter: (id, files) => call((remote) => remote.importAdapter(id, moved(files))),
    answer: (request, onText) => call((remote) => remote.answer(request, proxy(onText))),
    score: (request, onProgress) => call((remote) => remote.score(request, proxy(onProgress))),
    benchmark: (names, onRow, onNow) => call((remote) => remote.benchmark(names, proxy(onRow), proxy(onNow))),
    tune: (onTrial) => call((remote) => remote.tune(proxy(onTrial))),
    verdict: () => call((remote) => remote.verdict()),
    selfTest: (onCheck) => call((remote) => remote.selfTest(proxy(onCheck))),
    cancel: () => call((remote) => remote.cancel()),
  };
  return { trainer, restart: lose, end: () => life.end(new Error('the trainer was ended')) };
}

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
