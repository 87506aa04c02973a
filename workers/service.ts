/** The trainer as an object: the whole TrainerApi over one database and one engine. Knows nothing of how it is called. */
import { assetsFrom } from '../src/chat/assets';
import { distinct } from '../src/evaluation/questions';
import { planRun } from '../src/training/plan';
import type { TrainerApi } from '../src/protocol/trainerApi';
import type { RunEvent } from '../src/protocol/events';
import type { Storage } from '../src/storage/database';
import { removedIds } from '../src/storage/removals';
import { listRuns } from '../src/storage/runs';
import { Answering } from './adapters/answering';
import { Benchmarking } from './device/benchmarking';
import { attempt, failureOf } from './failures';
import { browserSurroundings, Intake, type Surroundings } from './models/intake';
import { Keeping } from './models/keeping';
import { Library } from './models/library';
import { beforeUse, capabilities, lossBehind, machine, restartMachine } from './device/machine';
import { PageModels } from './models/pageModels';
import { RunBook } from '../src/storage/runBook';
import { Runs } from './runs/running';
import { Shelf } from './adapters/shelf';
import { Tuning } from './device/tuning';
import { Verdicts } from './device/verdicts';

/** `demo`: where the embedded models and lessons are served. */
export function trainerService(
  db: Storage,
  demo: URL,
  around: Surroundings = browserSurroundings(),
): TrainerApi {
  const library = new Library(db, new PageModels(demo));
  const book = new RunBook(db);
  const shelf = new Shelf(db, book, library);
  const answering = new Answering(library, (id, model) => shelf.weights(id, model));
  const tuning = new Tuning(db);
  const verdicts = new Verdicts(db);
  beforeUse((engine) => verdicts.use(engine));
  const runs = new Runs({ db, library, shelf, tuning, verdicts }, book);
  const intake = new Intake(db, around, (id) => library.changed(id));
  const keeping = new Keeping(
    db,
    (id) => library.changed(id),
    (id) => intake.cancel(id),
    around.readAssets ?? (async (files, config) => assetsFrom(files, config)),
  );
  keeping.tidy().catch((error: unknown) => console.warn('Tidying the stored data failed.', error));
  const benchmarking = new Benchmarking(demo, tuning, verdicts);
  const nothing = () => null;
  /** Work on the device outside a run: after a loss the next call finds a new device. */
  const onDevice = <T>(work: () => Promise<T>) =>
    attempt(async () => {
      await machine();
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
    describeModel: (source) => attempt(() => intake.describe(source)),
    downloadModel: (request, onProgress) => attempt(() => intake.download(request, onProgress)),
    pauseDownload: (id) => attempt(() => (intake.pause(id), null)),
    resumeDownload: (id, access, onProgress) => attempt(() => intake.resume(id, access, onProgress)),
    cancelDownload: (id) => attempt(() => intake.cancel(id).then(nothing)),
    downloads: () => attempt(() => intake.unfinished()),
    hubRequests: () => attempt(() => intake.requests.entries),
    addModel: (files, format, onProgress) => attempt(() => intake.add(files, format, onProgress)),
    storage: () => attempt(() => keeping.report()),
    remove: (kind, id) =>
      attempt(async () => (kind === 'adapter' ? shelf.drop(id) : null) ?? (await keeping.remove(kind, id))),
    undoRemove: (kind, id) => attempt(() => keeping.undo(kind, id).then(nothing)),
    keepDataset: (file) => attempt(() => keeping.keepDataset(file).then(nothing)),
    keptDataset: () => attempt(() => keeping.keptDataset()),
    exportModels: (ids) => attempt(() => keeping.exportModels(ids)),
    importModels: (file, onProgress) => attempt(() => keeping.importModels(file, onProgress)),
    chatAssets: (id) => attempt(async () => (await library.files(id)).assets),
    modelConfig: (id) => attempt(async () => (await library.files(id)).rawConfig),
    plan: ({ modelId, settings, train }) =>
      attempt(async () => {
        const [{ config }, own] = await Promise.all([library.files(modelId), capabilities()]);
        const weightFormat = await library.formatOf(modelId, settings.weightFormat);
        return planRun(config, { ...settings, weightFormat }, train, own);
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
    runs: () =>
      attempt(async () => {
        const [list, hidden] = await Promise.all([listRuns(db), removedIds(db, 'run')]);
        return list.filter(({ id }) => !hidden.has(id));
      }),
    history: (runId) =>
      attempt(async () => {
        const { settings, plan, data: _rows, history, ...summary } = await book.find(runId);
        return { summary, settings, plan, ...history };
      }),
    testRows: (runId) =>
      attempt(async () => {
        const { data } = await book.find(runId);
        return { ...distinct(data.test), testIsValidation: data.testIsValidation };
      }),
    adapters: () => attempt(() => shelf.list()),
    renameAdapter: (id, name) => attempt(() => shelf.rename(id, name).then(nothing)),
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
    benchmark: (names, onRow, onNow) => onDevice(() => benchmarking.benchmark(names, onRow, onNow)),
    tune: (onTrial) => onDevice(() => benchmarking.tune(onTrial)),
    verdict: () => attempt(async () => (await machine(), verdicts.current)),
    selfTest: (onCheck) => onDevice(() => benchmarking.selfTest(onCheck)),
    cancel: async () => {
      answering.cancel();
      benchmarking.cancel();
    },
  };
}
