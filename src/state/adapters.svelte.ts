/** The adapters on this machine: list, names, files out and in, and a delete that can be taken back. */
import type { AdapterExport, AdapterSummary, NamedFile } from '../protocol/adapters';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

export class AdaptersState {
  list = $state.raw<AdapterSummary[]>([]);
  loaded = $state(false);
  failure = $state.raw<Failure | null>(null);
  importing = $state(false);
  /** Id of the adapter being written and checked. */
  exporting: string | null = $state(null);
  exported = $state.raw<{ id: string; made: AdapterExport } | null>(null);
  /** Deleted last, and can still be taken back. */
  leaving = $state.raw<AdapterSummary | null>(null);
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly remote: TrainerApi) {}

  find(id: string | null): AdapterSummary | null {
    return this.list.find((adapter) => adapter.id === id) ?? null;
  }

  async load(): Promise<void> {
    await this.#try('Listing the adapters', async () => {
      const result = await this.remote.adapters();
      if (result.ok) this.list = result.value.toSorted((a, b) => b.created - a.created);
      else this.failure = result.failure;
    });
    this.loaded = true;
  }

  async rename(id: string, name: string): Promise<void> {
    const wanted = name.trim();
    if (wanted === '') return;
    await this.#try('Renaming the adapter', async () => {
      const result = await this.remote.renameAdapter(id, wanted);
      if (!result.ok) this.failure = result.failure;
      else
        this.list = this.list.map((adapter) => (adapter.id === id ? { ...adapter, name: wanted } : adapter));
    });
  }

  /** Writes the files, reads them back and compares them with the live model; resolves to what may be saved. */
  async export(id: string): Promise<AdapterExport | null> {
    if (this.exporting !== null) return null;
    this.exporting = id;
    this.failure = null;
    this.exported = null;
    let made: AdapterExport | null = null;
    await this.#try('Writing the adapter', async () => {
      const result = await this.remote.exportAdapter(id);
      if (result.ok) made = result.value;
      else this.failure = result.failure;
    });
    if (made !== null) this.exported = { id, made };
    this.exporting = null;
    return made;
  }

  async import(modelId: string, files: NamedFile[]): Promise<AdapterSummary | null> {
    this.importing = true;
    this.failure = null;
    let added: AdapterSummary | null = null;
    await this.#try('Loading the adapter', async () => {
      const result = await this.remote.importAdapter(modelId, files);
      if (result.ok) {
        added = result.value;
        this.list = [result.value, ...this.list.filter((adapter) => adapter.id !== result.value.id)];
      } else this.failure = result.failure;
    });
    this.importing = false;
    return added;
  }

  /** Hidden at once; gone for good when the time to take it back is over. */
  async remove(id: string): Promise<void> {
    const leaving = this.find(id);
    if (leaving === null) return;
    this.#forget();
    await this.#try('Deleting the adapter', async () => {
      const result = await this.remote.remove('adapter', id);
      if (!result.ok) {
        this.failure = result.failure;
        return;
      }
      this.list = this.list.filter((adapter) => adapter.id !== id);
      const left = result.value.goneAt - Date.now();
      if (left <= 0) return;
      this.leaving = leaving;
      this.#timer = setTimeout(() => this.#forget(), left);
    });
  }

  async undo(): Promise<void> {
    const leaving = this.leaving;
    if (leaving === null) return;
    this.#forget();
    await this.#try('Bringing back the adapter', async () => {
      const result = await this.remote.undoRemove('adapter', leaving.id);
      if (!result.ok) this.failure = result.failure;
    });
    await this.load();
  }

  /** What was deleted cannot be taken back from here any more. */
  #forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.leaving = null;
  }

  async #try(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.failure = failureFrom(thrown, doing);
    }
  }
}
