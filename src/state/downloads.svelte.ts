/** Models on their way in, from a hub or from files: how far they are, and pause, go on, cancel. Knows no page. */
import { SvelteMap } from 'svelte/reactivity';
import type {
  DownloadEnd,
  DownloadProgress,
  DownloadRequest,
  ModelSummary,
  ModelsApi,
  PickedFile,
  UnfinishedDownload,
} from '../protocol/models';
import type { Result } from '../protocol/result';
import type { Failure } from '../protocol/events';
import type { WeightFormat } from '../protocol/weightFormats';
import { failureFrom } from './failure';

/** One that is at work in this tab. */
export interface Arriving {
  /** Made here, since the download's own id comes with its first word. */
  key: number;
  name: string;
  from: 'hub' | 'files' | 'unfinished';
  progress: DownloadProgress | null;
  /** An order was given and has not been carried out yet. */
  ending: 'pausing' | 'cancelling' | null;
}

export class DownloadsState {
  #arriving = new SvelteMap<number, Arriving>();
  #next = 1;
  unfinished = $state.raw<UnfinishedDownload[]>([]);
  failure = $state.raw<{ name: string; failure: Failure } | null>(null);
  /** The model that arrived last, for a word about it. */
  arrived = $state.raw<ModelSummary | null>(null);
  loaded = $state(false);

  arriving: Arriving[] = $derived([...this.#arriving.values()]);
  /** Left behind by a closed tab or a pause, and not at work now. */
  waiting: UnfinishedDownload[] = $derived(
    this.unfinished.filter(
      (one) => !one.running && !this.arriving.some(({ progress }) => progress?.id === one.id),
    ),
  );
  /** Share done of all that is at work, for the page's title; null when nothing is. */
  share: number | null = $derived.by(() => {
    const told = this.arriving.flatMap(({ progress }) => (progress === null ? [] : [progress]));
    const total = told.reduce((sum, { bytesTotal }) => sum + bytesTotal, 0);
    return total === 0 ? null : told.reduce((sum, { bytesDone }) => sum + bytesDone, 0) / total;
  });

  constructor(
    private readonly remote: ModelsApi,
    private readonly onKept: (model: ModelSummary) => Promise<void>,
  ) {}

  async load(): Promise<void> {
    try {
      const result = await this.remote.downloads();
      if (result.ok) this.unfinished = result.value;
      else this.failure = { name: 'Unfinished downloads', failure: result.failure };
    } catch (thrown) {
      this.failure = {
        name: 'Unfinished downloads',
        failure: failureFrom(thrown, 'Listing unfinished downloads'),
      };
    }
    this.loaded = true;
  }

  download(request: DownloadRequest): Promise<boolean> {
    return this.#follow(request.repository, 'hub', (tell) => this.remote.downloadModel(request, tell));
  }

  add(name: string, files: PickedFile[], format: WeightFormat | null): Promise<boolean> {
    return this.#follow(name, 'files', (tell) => this.remote.addModel(files, format, tell));
  }

  resume(one: UnfinishedDownload, token: string): Promise<boolean> {
    const access = token === '' ? {} : { token };
    return this.#follow(one.name, 'unfinished', (tell) => this.remote.resumeDownload(one.id, access, tell));
  }

  isArriving(name: string): boolean {
    return this.arriving.some((one) => one.name === name);
  }

  pause(key: number): Promise<void> {
    return this.#order(key, 'pausing', 'Pausing', (id) => this.remote.pauseDownload(id));
  }

  cancel(key: number): Promise<void> {
    return this.#order(key, 'cancelling', 'Cancelling', (id) => this.remote.cancelDownload(id));
  }

  /** Deletes what an unfinished download has fetched. */
  async discard(one: UnfinishedDownload): Promise<void> {
    try {
      const result = await this.remote.cancelDownload(one.id);
      if (!result.ok) this.failure = { name: one.name, failure: result.failure };
    } catch (thrown) {
      this.failure = { name: one.name, failure: failureFrom(thrown, 'Deleting the unfinished download') };
    }
    await this.load();
  }

  /** True when a model was kept. */
  async #follow(
    name: string,
    from: Arriving['from'],
    work: (tell: (progress: DownloadProgress) => void) => Promise<Result<DownloadEnd>>,
  ): Promise<boolean> {
    if (this.isArriving(name)) return false;
    const key = this.#next++;
    this.failure = null;
    this.arrived = null;
    this.#put({ key, name, from, progress: null, ending: null });
    let kept: ModelSummary | null = null;
    try {
      const result = await work((progress) => {
        const known = this.#arriving.get(key);
        if (known !== undefined) this.#put({ ...known, progress });
      });
      if (!result.ok) this.failure = { name, failure: result.failure };
      else if (result.value.state === 'kept') kept = result.value.model;
    } catch (thrown) {
      this.failure = { name, failure: failureFrom(thrown, `Bringing in ${name}`) };
    }
    this.#arriving.delete(key);
    if (kept !== null) {
      await this.onKept(kept);
      this.arrived = kept;
    }
    await this.load();
    return kept !== null;
  }

  async #order(
    key: number,
    ending: Arriving['ending'],
    doing: string,
    order: (id: string) => Promise<Result<null>>,
  ): Promise<void> {
    const known = this.#arriving.get(key);
    if (known === undefined || known.progress === null || known.ending !== null) return;
    this.#put({ ...known, ending });
    try {
      const result = await order(known.progress.id);
      if (result.ok) return;
      this.failure = { name: known.name, failure: result.failure };
    } catch (thrown) {
      this.failure = { name: known.name, failure: failureFrom(thrown, `${doing} ${known.name}`) };
    }
    const still = this.#arriving.get(key);
    if (still !== undefined) this.#put({ ...still, ending: null });
  }

  #put(one: Arriving): void {
    this.#arriving.set(one.key, one);
  }
}
