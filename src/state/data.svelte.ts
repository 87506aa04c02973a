/** What the screen knows about the data: the opened file, how it will be split and packed, and one row as tokens. */
import type {
  ChosenColumns,
  DatasetReport,
  PreparedReport,
  StoppableDataset,
  TokenView,
} from '../protocol/datasetApi';
import type { ChatAssets } from '../protocol/data';
import type { Failure } from '../protocol/events';
import type { ModelsApi } from '../protocol/models';
import type { Settings } from '../protocol/settings';
import { failureFrom } from './failure';
import { Packing, packingOf } from './packing.svelte';

export type DataPhase = 'empty' | 'opening' | 'opened' | 'preparing' | 'ready';

export class DataState {
  phase: DataPhase = $state('empty');
  report = $state.raw<DatasetReport | null>(null);
  prepared = $state.raw<PreparedReport | null>(null);
  /** Model and settings of `prepared`, as `packingOf` writes them. */
  packed: string | null = null;
  tokens = $state.raw<TokenView[]>([]);
  row = $state(0);
  failure = $state.raw<Failure | null>(null);
  /** The file that `failure` kept from being opened; null where it tells of something else. */
  unopened = $state.raw<File | null>(null);
  /** Name of a file that came in during a run and was not opened. */
  turnedAway: string | null = $state(null);
  /** Name of the file being read. */
  opening: string | null = $state(null);
  /** Why the open file will be gone at the next visit; null where it is kept. */
  unkept = $state.raw<Failure | null>(null);
  /** The model whose template and tokenizer were used. */
  preparedFor: string | null = $state(null);
  readonly packing = new Packing();
  /** The packing was cancelled and not begun again. */
  cancelled = $state(false);
  #ticket = 0;
  /** The packing under way. */
  #underway: { packing: string; done: Promise<boolean> } | null = null;

  reading: boolean = $derived(this.phase === 'opening');
  working: boolean = $derived(this.reading || this.phase === 'preparing');

  constructor(
    private readonly remote: StoppableDataset,
    private readonly shelf: Pick<ModelsApi, 'keepDataset' | 'keptDataset'>,
  ) {}

  /** Keeps a file in this browser for the next visit; null: nothing is to be opened again. */
  async keep(file: File | null, columns?: ChosenColumns): Promise<void> {
    this.unkept = null;
    try {
      const result = await this.shelf.keepDataset(file && { name: file.name, bytes: file, columns });
      if (!result.ok) this.unkept = result.failure;
    } catch (thrown) {
      this.unkept = failureFrom(thrown, 'Keeping the file');
    }
  }

  /** Opens what an earlier visit kept, unless something was opened in this one. */
  async reopen(): Promise<void> {
    try {
      const kept = await this.shelf.keptDataset();
      if (!kept.ok) this.failure = kept.failure;
      else if (kept.value !== null && this.#ticket === 0) {
        const { name, bytes, columns } = kept.value;
        const opened = await this.open(new File([bytes], name), columns);
        // what cannot be read is said once, and not at every visit
        if (!opened && this.phase === 'empty') await this.keep(null);
      }
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Opening the file of the last visit');
    }
  }

  /**
   * Opens a file in the place of what is open; that stays where the file cannot be read. `columns`: what a person chose of a table whose
   * columns' names do not tell.
   */
  async open(file: File, columns?: ChosenColumns): Promise<boolean> {
    const ticket = ++this.#ticket;
    if (this.working) this.#unpack();
    this.phase = 'opening';
    this.cancelled = false;
    this.opening = file.name;
    this.dismissFailure();
    try {
      const bytes = await file.arrayBuffer();
      if (ticket !== this.#ticket) return false;
      const result = await this.remote.open({ name: file.name, bytes, columns });
      if (ticket !== this.#ticket) return false;
      if (result.ok) {
        this.report = result.value;
        this.#unpack();
        this.row = 0;
        this.phase = 'opened';
        return true;
      }
      this.failure = result.failure;
    } catch (thrown) {
      if (ticket !== this.#ticket) return false;
      this.failure = failureFrom(thrown, `Reading ${file.name}`);
    }
    this.unopened = file;
    this.#rest();
    return false;
  }

  /** Packs what is open. Asked for the packing that is under way, it is that one which is waited for. */
  async prepare(modelId: string, assets: ChatAssets, settings: Settings): Promise<boolean> {
    if (this.report === null || this.reading) return false;
    const packing = packingOf(modelId, settings);
    if (this.phase === 'preparing' && this.#underway?.packing === packing) return this.#underway.done;
    const done = this.#pack(modelId, assets, settings, this.report.kept);
    this.#underway = { packing, done };
    return done;
  }

  /** Ends the reading or packing under way; what was open stays open. */
  cancel(): void {
    if (!this.working) return;
    this.#ticket++;
    this.cancelled = this.phase === 'preparing';
    this.remote.stop();
    this.#unpack();
    this.#rest();
  }

  async #pack(modelId: string, assets: ChatAssets, settings: Settings, kept: number): Promise<boolean> {
    const ticket = ++this.#ticket;
    this.phase = 'preparing';
    this.cancelled = false;
    this.packing.clear();
    if (this.unopened === null) this.failure = null;
    try {
      const result = await this.remote.prepare({ assets, settings }, (progress) => {
        if (ticket === this.#ticket) this.packing.hear(progress);
      });
      if (ticket !== this.#ticket) return false;
      if (result.ok) {
        this.prepared = result.value;
        this.packed = packingOf(modelId, settings);
        this.preparedFor = modelId;
        this.phase = 'ready';
        await this.look(Math.min(this.row, kept - 1));
        return true;
      }
      this.failure = result.failure;
    } catch (thrown) {
      if (ticket !== this.#ticket) return false;
      this.failure = failureFrom(thrown, 'Splitting and packing the rows');
    }
    this.unopened = null;
    this.#unpack();
    this.phase = 'opened';
    return false;
  }

  /** Shows kept row `index` as the tokens the model will see. */
  async look(index: number): Promise<void> {
    const ticket = this.#ticket;
    this.row = Math.max(0, index);
    try {
      const result = await this.remote.view(this.row);
      if (ticket !== this.#ticket) return;
      if (result.ok) this.tokens = result.value;
      else this.failure = result.failure;
    } catch (thrown) {
      if (ticket !== this.#ticket) return;
      this.failure = failureFrom(thrown, `Showing row ${this.row + 1}`);
    }
  }

  dismissFailure(): void {
    this.failure = null;
    this.unopened = null;
    this.turnedAway = null;
  }

  /** The packing is gone, or no longer that of what is open. */
  #unpack(): void {
    this.prepared = null;
    this.packed = null;
    this.preparedFor = null;
    this.tokens = [];
  }

  /** Back to what was reached before. */
  #rest(): void {
    if (this.report === null) this.phase = 'empty';
    else this.phase = this.prepared === null ? 'opened' : 'ready';
  }
}
