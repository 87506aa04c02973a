/** What this browser keeps for the page: items and sizes, deletes that can be taken back, the file for other machines. */
import type {
  ModelArchive,
  ModelSummary,
  ModelsApi,
  StorageReport,
  StoredItem,
  StoredKind,
} from '../protocol/models';
import type { Result } from '../protocol/result';
import type { Failure } from '../protocol/events';
import type { Bytes, Milliseconds } from '../units';
import { failureFrom } from './failure';

/** What only the page, and not a worker, may ask the browser for. */
export interface Browser {
  /** Asks the browser to keep the page's data for good. True when it agreed. */
  persist(): Promise<boolean>;
  /** Deletes all that the page has in this browser, and starts it afresh. */
  forget(): Promise<void>;
}

/** Between the end of a grace period and the next look, so that the deletion is through. */
const AFTER: Milliseconds = 1000;

export class Keeping {
  report = $state.raw<StorageReport | null>(null);
  failure = $state.raw<Failure | null>(null);
  loading = $state(false);
  /** The browser was asked to keep the data and said no. */
  refused = $state(false);
  exporting = $state(false);
  exported = $state.raw<ModelArchive | null>(null);
  importing = $state.raw<{ done: Bytes; total: Bytes } | null>(null);
  imported = $state.raw<ModelSummary[]>([]);
  forgetting = $state(false);

  #timer: ReturnType<typeof setTimeout> | null = null;

  items: StoredItem[] = $derived(this.report?.items ?? []);
  total: Bytes = $derived(this.items.reduce((sum, item) => sum + item.bytes, 0));

  constructor(
    private readonly remote: ModelsApi,
    private readonly browser: Browser,
    /** Lists elsewhere on the screen that follow what is kept. */
    private readonly onChange: () => Promise<void>,
  ) {}

  of(kind: StoredKind): StoredItem[] {
    return this.items.filter((item) => item.kind === kind).toSorted((a, b) => b.bytes - a.bytes);
  }

  async load(): Promise<void> {
    this.loading = true;
    await this.#try('Reading what is kept', async () => {
      const report = await this.remote.storage();
      if (report.ok) this.report = report.value;
      return report;
    });
    this.loading = false;
    this.#lookAgain();
  }

  /** What was deleted is gone for good at a known time; the report is read again then. */
  #lookAgain(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const times = (this.report?.removed ?? []).map(({ goneAt }) => goneAt);
    if (times.length === 0) return;
    const wait = Math.max(0, Math.min(...times) - Date.now()) + AFTER;
    this.#timer = setTimeout(() => void this.load(), wait);
  }

  async remove(item: StoredItem): Promise<void> {
    this.failure = null;
    await this.#try(`Deleting ${item.name}`, () => this.remote.remove(item.kind, item.id));
    await this.#changed();
  }

  async undo(item: StoredItem): Promise<void> {
    this.failure = null;
    await this.#try(`Bringing back ${item.name}`, () => this.remote.undoRemove(item.kind, item.id));
    await this.#changed();
  }

  async persist(): Promise<void> {
    this.failure = null;
    try {
      this.refused = !(await this.browser.persist());
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Asking the browser');
    }
    await this.load();
  }

  async export(ids: string[]): Promise<ModelArchive | null> {
    if (this.exporting || ids.length === 0) return null;
    this.exporting = true;
    this.exported = null;
    this.failure = null;
    await this.#try('Writing the file', async () => {
      const archive = await this.remote.exportModels(ids);
      if (archive.ok) this.exported = archive.value;
      return archive;
    });
    this.exporting = false;
    return this.exported;
  }

  async import(file: Blob): Promise<void> {
    if (this.importing !== null) return;
    this.importing = { done: 0, total: file.size };
    this.imported = [];
    this.failure = null;
    await this.#try('Reading the file', async () => {
      const models = await this.remote.importModels(file, (done, total) => {
        if (this.importing !== null) this.importing = { done, total };
      });
      if (models.ok) this.imported = models.value;
      return models;
    });
    this.importing = null;
    await this.#changed();
  }

  async forget(): Promise<void> {
    this.forgetting = true;
    try {
      await this.browser.forget();
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Deleting everything');
      this.forgetting = false;
    }
  }

  async #changed(): Promise<void> {
    await Promise.all([this.load(), this.onChange()]);
  }

  async #try(doing: string, work: () => Promise<Result<unknown>>): Promise<void> {
    try {
      const result = await work();
      if (!result.ok) this.failure = result.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, doing);
    }
  }
}
