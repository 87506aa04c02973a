/** Everything the screen knows, and the few jobs that touch several parts of it: train a lesson, train, go on. */
import { untrack } from 'svelte';
import type { NamedFile } from '../protocol/adapters';
import type { ChosenColumns, StoppableDataset } from '../protocol/datasetApi';
import type { RunSummary } from '../protocol/runs';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Failure } from '../protocol/events';
import type { HubSource } from '../protocol/models';
import { defaultSettings, parseSettings, type Settings } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Milliseconds } from '../units';
import { AdaptersState } from './adapters.svelte';
import { AnswersState } from './answers.svelte';
import { BenchmarkState } from './benchmark.svelte';
import { DataState } from './data.svelte';
import { DownloadsState } from './downloads.svelte';
import { Fits } from './fits.svelte';
import { FormState } from './form.svelte';
import { HubLog } from './hubLog.svelte';
import { Job } from './job.svelte';
import { Keeping, type Browser } from './keeping.svelte';
import { LessonsState, type Lesson } from './lessons.svelte';
import { LinkState } from './link.svelte';
import { Lookup } from './lookup.svelte';
import { ModelsState } from './models.svelte';
import { packingOf } from './packing.svelte';
import { Planning } from './planning.svelte';
import { Preferences } from './preferences.svelte';
import { resultOf, type RunResult } from './result';
import type { RunState } from './run.svelte';
import { RunsState } from './runs.svelte';
import { ScoringState } from './scoring.svelte';

export interface Surroundings {
  trainer: TrainerApi;
  dataset: StoppableDataset;
  browser: Browser;
  get: (path: string) => Promise<Response>;
  store: Pick<Storage, 'getItem' | 'setItem'> | null;
  /** The page's own address, from which a mirror may be served. */
  origin: string;
  /** navigator.deviceMemory in GiB, where the browser tells it. */
  deviceMemory: number | null;
  /** Ends a trainer that does not answer; another takes its place. */
  restartTrainer: () => void;
}

/** Quiet time after an edit before rows are packed and planned again. */
const SETTLE = 250;

export class Session {
  readonly data: DataState;
  readonly models: ModelsState;
  readonly preferences: Preferences;
  readonly lookup: Lookup;
  readonly downloads: DownloadsState;
  readonly hubLog: HubLog;
  readonly keeping: Keeping;
  readonly form: FormState;
  readonly fits: Fits;
  readonly lessons: LessonsState;
  readonly link: LinkState;
  readonly planning: Planning;
  readonly job: Job;
  readonly run: RunState;
  readonly scoring: ScoringState;
  readonly answers: AnswersState;
  readonly adapters: AdaptersState;
  readonly runs: RunsState;
  readonly benchmark: BenchmarkState;
  /** The adapter used in Try. */
  chosenAdapter: string | null = $state(null);
  /** The run has ended and its lists and scores have been made too. */
  over = $state(false);
  /** A start is under way, before the run itself has begun. */
  starting: string | null = $state(null);

  /** How long the trainer has not answered; null while it does. */
  silentFor: Milliseconds | null = $state(null);
  readonly restartTrainer: () => void;

  constructor(around: Surroundings) {
    this.data = new DataState(around.dataset, around.trainer);
    this.models = new ModelsState(around.trainer);
    this.preferences = new Preferences(around.store, around.origin);
    this.lookup = new Lookup(around.trainer, this.preferences);
    this.downloads = new DownloadsState(around.trainer, (model) => this.models.arrived(model));
    this.hubLog = new HubLog(around.trainer);
    this.keeping = new Keeping(around.trainer, around.browser, () => this.#relist());
    this.form = new FormState(around.store);
    this.fits = new Fits(this.models, this.form, this.preferences, around.deviceMemory);
    this.lessons = new LessonsState(around.get, around.store);
    this.link = new LinkState({
      ...{ form: this.form, models: this.models, lessons: this.lessons, data: this.data },
      ...{ preferences: this.preferences, origin: around.origin },
      openLesson: (lesson) => this.openLesson(lesson),
    });
    this.planning = new Planning(around.trainer);
    this.job = new Job(around.trainer, around.dataset);
    this.run = this.job.run;
    this.scoring = new ScoringState(around.trainer);
    this.answers = new AnswersState(around.trainer);
    this.adapters = new AdaptersState(around.trainer);
    this.runs = new RunsState(around.trainer);
    this.restartTrainer = around.restartTrainer;
    this.benchmark = new BenchmarkState(around.trainer);
  }

  busy = $derived.by(() => this.run.active || this.starting !== null);

  /** The figures of the last run once it is over and its scoring has ended. */
  get result(): RunResult | null {
    if (this.run.phase !== 'finished' || !this.over) return null;
    return resultOf(this.run, this.scoring.scores, this.models.capabilities);
  }

  /** What went wrong last in training or scoring. */
  get failure(): Failure | null {
    return this.run.failure ?? this.scoring.failure ?? this.data.failure;
  }

  async load(): Promise<void> {
    await Promise.all([this.lessons.load(), this.models.load().then(() => this.adapters.load())]);
    await Promise.all([
      ...[this.runs.load(), this.downloads.load(), this.benchmark.load()],
      this.data.reopen().then(() => this.#reopenLesson()),
    ]);
  }

  /** That of the last visit, unless something else is open by then. */
  async #reopenLesson(): Promise<void> {
    const lesson = this.lessons.ofLastVisit;
    const file = lesson !== null && this.data.phase === 'empty' ? await this.lessons.file(lesson) : null;
    if (lesson === null || file === null || this.data.phase !== 'empty') return;
    if (!(await this.data.open(file))) return;
    this.lessons.choose(lesson);
    this.form.rejoin(parseSettings(lesson.settings), lesson.title);
  }

  /** Streams a model in and keeps it. The browser is asked first to keep what the page stores. */
  async download(source: HubSource, weightFormat: WeightFormat): Promise<boolean> {
    void this.keeping.persist();
    return this.downloads.download({ ...source, weightFormat });
  }

  /** The trainer died and another took its place: what is stored is listed afresh, so that a run can be gone on with. */
  async trainerReplaced(): Promise<void> {
    this.silentFor = null;
    await Promise.all([this.models.load(), this.adapters.load(), this.runs.load(), this.downloads.load()]);
  }

  /** Keeps split, packing and plan in step with the file, the model and the form. Called where effects are allowed. */
  follow(): void {
    $effect(() => {
      const model = this.models.selected;
      if (model !== null) untrack(() => this.form.suit(model));
    });
    $effect(() => {
      const { report, reading } = this.data;
      const model = this.models.selected;
      const settings = this.form.settings;
      if (report === null || reading || model === null || settings === null || this.busy) return;
      const timer = setTimeout(() => void this.settle(), SETTLE);
      return () => clearTimeout(timer);
    });
  }

  /** Opens a file of one's own; during a run none, since what is shown is what is trained on. */
  async openFile(file: File, columns?: ChosenColumns): Promise<boolean> {
    if (this.busy) {
      this.data.turnedAway = file.name;
      return false;
    }
    if (!(await this.data.open(file, columns))) return false;
    this.lessons.choose(null);
    if (this.form.baseName !== null) this.form.adopt(defaultSettings, null);
    await this.data.keep(file, columns);
    return true;
  }

  /** Opens a lesson's data and takes over its settings; trains nothing yet. */
  async openLesson(lesson: Lesson): Promise<boolean> {
    this.lessons.failure = null;
    const file = await this.lessons.file(lesson);
    if (file === null || !(await this.data.open(file))) return false;
    void this.data.keep(null); // a lesson is a press away
    this.lessons.choose(lesson);
    this.form.adopt(parseSettings(lesson.settings), lesson.title);
    const suited = lesson.models;
    const selected = this.models.selected;
    if (suited !== undefined && selected !== null && !suited.includes(selected.id)) {
      const first = this.models.list.find((model) => suited.includes(model.id));
      if (first !== undefined) this.models.select(first.id);
    }
    return true;
  }

  /** Trains a lesson with its own settings; what stands edited in the form stays there, for the runs started with it. */
  async trainLesson(lesson: Lesson): Promise<void> {
    if (this.busy) return;
    this.starting = `Opening the lesson “${lesson.title}”`;
    const opened = await this.openLesson(lesson);
    this.starting = null;
    const { selected } = this.models;
    if (!opened || selected === null) return;
    this.form.suit(selected);
    await this.train(this.form.base);
  }

  /** Packs with the settings as they stand, trains, and scores the held-out rows. */
  async train(settings: Settings | null = this.form.settings): Promise<void> {
    const model = this.models.selected;
    const report = this.data.report;
    if (this.busy || this.data.reading || model === null || settings === null || report === null) return;
    this.run.dismissFailure();
    this.data.dismissFailure();
    this.starting = 'Splitting and packing the rows';
    const ready = await this.#prepare(settings);
    this.starting = null;
    if (!ready) return;
    this.#forget();
    const title = this.lessons.chosen?.title ?? report.name.replace(/\.\w+$/, '');
    await this.job.start({
      name: `${title} · ${model.name}`,
      modelId: model.id,
      modelName: model.name,
      datasetName: this.lessons.chosen?.title ?? report.name,
      settings,
    });
    await this.#afterRun();
  }

  /** Packs and plans with the settings as they stand. */
  async settle(): Promise<void> {
    const { selected: model } = this.models;
    const { settings } = this.form;
    if (model === null || settings === null) return this.planning.clear();
    const fresh = this.data.packed === packingOf(model.id, settings);
    if (!fresh && !(await this.#prepare(settings))) return this.planning.clear();
    const { prepared } = this.data;
    if (prepared === null) return;
    await Promise.all([this.models.study(model.id), this.planning.refresh(model.id, settings, prepared)]);
  }

  async continueRun(summary: RunSummary): Promise<void> {
    if (this.busy) return;
    this.run.dismissFailure();
    this.data.dismissFailure();
    this.starting = `Opening “${summary.name}” at step ${summary.step}`;
    const history = await this.runs.history(summary.id);
    this.starting = null;
    if (history === null) return;
    this.#forget();
    this.models.select(summary.modelId);
    await this.job.continue(history);
    await this.#afterRun();
  }

  /** Scores any adapter that came from a run on this machine. */
  async score(adapterId: string, limit?: number): Promise<void> {
    const adapter = this.adapters.find(adapterId);
    if (adapter === null || adapter.runId === null) return;
    await this.scoring.score({ modelId: adapter.modelId, adapterId, runId: adapter.runId }, limit);
  }

  async importAdapter(files: NamedFile[]): Promise<boolean> {
    const model = this.models.selected;
    if (model === null) return false;
    const added = await this.adapters.import(model.id, files);
    if (added !== null) this.chosenAdapter = added.id;
    return added !== null;
  }

  async #prepare(settings: Settings): Promise<boolean> {
    const model = this.models.selected;
    if (model === null) return false;
    const assets = await this.models.assets(model.id);
    if (assets === null) return false;
    return this.data.prepare(model.id, assets, settings);
  }

  /** Leaves the scores of the run before behind. */
  #forget(): void {
    this.over = false;
    this.scoring.clear();
  }

  async #relist(): Promise<void> {
    await Promise.all([this.models.relist(), this.adapters.load(), this.runs.load(), this.downloads.load()]);
  }

  async #afterRun(): Promise<void> {
    const { finish, runId, subject } = this.run;
    await Promise.all([this.adapters.load(), this.runs.load()]);
    if (finish !== null && finish.adapterId === null) await this.models.relist();
    if (finish !== null && finish.adapterId !== null && runId !== null && subject !== null) {
      this.chosenAdapter = finish.adapterId;
      await this.scoring.score({ modelId: subject.modelId, adapterId: finish.adapterId, runId });
    }
    this.over = true;
  }
}
