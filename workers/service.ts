/** The trainer as an object: the whole TrainerApi over one database and one engine. Knows nothing of how it is called. */
import { planRun } from '../src/training/plan';
import type { TrainerApi } from '../src/protocol/apis';
import type { RunEvent } from '../src/protocol/events';
import type { Storage } from '../src/storage/database';
import { deleteRun, listRuns } from '../src/storage/runs';
import { Answering } from './answering';
import { Benchmarking } from './benchmarking';
import { attempt, failureOf } from './failures';
import { Library } from './library';
import { capabilities, lossBehind, restartMachine } from './machine';
import { RunBook } from './runBook';
import { Runs } from './running';
import { Shelf } from './shelf';

/** `demo`: where the embedded models and lessons are served. */
export function trainerService(db: Storage, demo: URL): TrainerApi {
  const library = new Library(db, demo);
  const book = new RunBook(db);
  const shelf = new Shelf(db, book, library);
  const answering = new Answering(library, (id, model) => shelf.weights(id, model));
  const runs = new Runs(db, book, library, shelf);
  const benchmarking = new Benchmarking(demo);
  const nothing = () => null;
  /** Work on the device outside a run: after a loss the next call finds a new device. */
  const onDevice = <T>(work: () => Promise<T>) =>
    attempt(async () => {
      try {
        return await work();
      } catch (error) {
        const lost = await lossBehind(error);
        if (!lost) throw error;
        library.deviceGone();
        await restartMachine();
        throw lost;
      }
    });

  const idle = (onEvent: (event: RunEvent) => void): boolean => {
    try {
      benchmarking.mustBeIdle();
      return true;
    } catch (error) {
      onEvent({ type: 'failed', failure: failureOf(error) });
      return false;
    }
  };

  return {
    ping: () => Promise.resolve(),
    capabilities: () => attempt(capabilities),
    models: () => attempt(() => library.list()),
    addModel: (files) => attempt(() => library.add(files)),
    removeModel: (id) => attempt(() => library.remove(id).then(nothing)),
    chatAssets: (id) => attempt(async () => (await library.files(id)).assets),
    plan: ({ modelId, settings, train }) =>
      attempt(async () => {
        const [{ config }, machine] = await Promise.all([library.files(modelId), capabilities()]);
        return planRun(config, settings, train, machine);
      }),
    train: async (request, onEvent) => {
      if (idle(onEvent)) await runs.start(request, onEvent);
    },
    continueRun: async (runId, onEvent) => {
      if (idle(onEvent)) await runs.goOn(runId, onEvent);
    },
    pause: async () => runs.pause(),
    resume: async () => runs.resume(),
    stop: async () => runs.stop(),
    runs: () => attempt(() => listRuns(db)),
    history: (runId) =>
      attempt(async () => {
        const { settings, plan, data: _rows, history, ...summary } = await book.find(runId);
        return { summary, settings, plan, ...history };
      }),
    testRows: (runId) =>
      attempt(async () => {
        const { data } = await book.find(runId);
        return { rows: data.test, testIsValidation: data.testIsValidation };
      }),
    removeRun: (runId) => attempt(() => deleteRun(db, runId).then(nothing)),
    adapters: () => attempt(() => shelf.list()),
    renameAdapter: (id, name) => attempt(() => shelf.rename(id, name).then(nothing)),
    removeAdapter: (id) => attempt(() => shelf.remove(id).then(nothing)),
    exportAdapter: (id) =>
      onDevice(async () => {
        benchmarking.mustBeIdle();
        return shelf.hand(id, answering);
      }),
    importAdapter: (modelId, files) => attempt(() => shelf.take(modelId, files)),
    answer: (request, onText) =>
      onDevice(async () => {
        benchmarking.mustBeIdle();
        return answering.answer(request, onText);
      }),
    score: (request, onProgress) =>
      onDevice(async () => {
        benchmarking.mustBeIdle();
        const scores = await answering.score(request, onProgress);
        shelf.noteScores(request.adapterId, scores);
        return scores;
      }),
    benchmark: (names, onRow) => onDevice(() => benchmarking.benchmark(names, onRow)),
    selfTest: (onCheck) => onDevice(() => benchmarking.selfTest(onCheck)),
    cancel: async () => {
      answering.cancel();
      benchmarking.cancel();
    },
  };
}
