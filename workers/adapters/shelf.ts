/** The adapters kept in this browser: listed, handed out as tested bundles, taken in from files. */
import type { AdapterWeights } from '../../src/adapter/spec';
import { buildRunRecord } from '../../src/exchange/buildRunRecord';
import { writeBundle } from '../../src/exchange/bundle';
import { writeGgufModel } from '../../src/exchange/ggufModel';
import { importAdapter } from '../../src/exchange/importAdapter';
import { readPeft, type BaseName, type PeftAdapter } from '../../src/exchange/peft';
import { readRunRecord, writeRunRecord, type RunRecord } from '../../src/exchange/runRecord';
import type { AdapterExport, AdapterSummary, NamedFile, ReceiptLine } from '../../src/protocol/adapters';
import type { ModelSummary, RemovedItem } from '../../src/protocol/models';
import type { Scores } from '../../src/protocol/scores';
import { faultsOf } from '../../src/protocol/detours';
import { promptIds } from '../../src/chat/prompt';
import {
  listAdapters,
  loadAdapter,
  renameAdapter,
  saveAdapter,
  type StoredAdapter,
} from '../../src/storage/adapters';
import { isNamed, sha256, type Storage } from '../../src/storage/database';
import { removedIds } from '../../src/storage/removals';
import type { StoredRun } from '../../src/storage/schema';
import { version } from '../../package.json';
import type { Answering } from './answering';
import type { Library } from '../models/library';
import type { OpenModel } from '../models/modelFiles';
import { capabilities } from '../device/machine';
import { publishedAs } from '../models/modelSummary';
import type { RunBook } from '../../src/storage/runBook';

const CHECK_PROMPT = 'Hello. What can you do?';

/** What an adapter's base is read from. */
type Models = Pick<Library, 'files' | 'use'>;
/** What a file that is handed out is compared with. */
type Compared = Pick<Answering, 'lastLogits'>;

export class Shelf {
  #db: Storage;
  #book: RunBook;
  #library: Models;
  /** The last scores of an adapter in this session, for its record. */
  #scores = new Map<string, Scores>();
  /** Adapters that could not be stored. They live as long as the tab. */
  #unsaved = new Map<string, StoredAdapter>();

  constructor(db: Storage, book: RunBook, library: Models) {
    this.#db = db;
    this.#book = book;
    this.#library = library;
  }

  async list(): Promise<AdapterSummary[]> {
    const unsaved = [...this.#unsaved.values()].map(({ summary }) => summary);
    return [...unsaved, ...(await this.#stored(unsaved.length > 0))];
  }

  /** `others`: there are adapters to show even where the database is closed, which the page has been told of then. */
  async #stored(others: boolean): Promise<AdapterSummary[]> {
    try {
      const [stored, hidden] = await Promise.all([listAdapters(this.#db), removedIds(this.#db, 'adapter')]);
      return stored.filter(({ id }) => !hidden.has(id));
    } catch (error) {
      if (others && isNamed(error, 'InvalidStateError')) return [];
      throw error;
    }
  }

  async rename(id: string, name: string): Promise<void> {
    const unsaved = this.#unsaved.get(id);
    if (unsaved) unsaved.summary.name = name;
    else await renameAdapter(this.#db, id, name);
  }
  /** Drops an adapter that was never stored; null: there is none such. */
  drop(id: string): RemovedItem | null {
    const summary = this.#unsaved.get(id)?.summary;
    if (!summary || !this.#unsaved.delete(id)) return null;
    const { name, bytes, created } = summary;
    return { kind: 'adapter', id, name, bytes, created, note: 'not stored', goneAt: Date.now() };
  }

  /** Stores an adapter. Where that fails it stays in memory, to be downloaded, and the error is thrown on. */
  async put(adapter: StoredAdapter): Promise<void> {
    try {
      await saveAdapter(this.#db, adapter);
    } catch (error) {
      this.#unsaved.set(adapter.summary.id, adapter);
      throw error;
    }
  }

  async #load(id: string): Promise<StoredAdapter> {
    return this.#unsaved.get(id) ?? loadAdapter(this.#db, id);
  }

  noteScores(id: string, scores: Scores): void {
    this.#scores.set(id, scores);
  }

  async weights(id: string, model: OpenModel): Promise<AdapterWeights> {
    const { peft } = await this.#load(id);
    return readPeft(peft.config, peft.weights, model.config);
  }

  async take(modelId: string, files: NamedFile[]): Promise<AdapterSummary> {
    const { config, summary: model } = await this.#library.files(modelId);
    const { name, adapter, peft, runRecord, warnings } = await importAdapter(files, config);
    const stranger = otherBase(adapter.baseName, model);
    const notes = stranger === null ? warnings : [stranger, ...warnings];
    const summary: AdapterSummary = {
      id: crypto.randomUUID(),
      name: name ?? 'Imported adapter',
      modelId,
      modelName: model.name,
      created: Date.now(),
      bytes: peft.weights.byteLength,
      rank: adapter.spec.rank,
      alpha: adapter.spec.alpha,
      targets: adapter.spec.targets,
      origin: 'imported',
      bestLoss: stranger === null ? (runRecord?.best?.loss ?? null) : null,
      runId: null,
      ...(notes.length > 0 && { notes }),
    };
    const weights = peft.weights.slice();
    const record = runRecord === null ? null : writeRunRecord(runRecord);
    await this.put({ summary, peft: { config: peft.config, weights }, runRecord: record });
    return summary;
  }

  async hand(id: string, answering: Compared): Promise<AdapterExport> {
    const stored = await this.#load(id);
    return this.#library.use(stored.summary.modelId, 'f16', (model) =>
      this.#bundle(stored, model, answering),
    );
  }

  async #bundle(stored: StoredAdapter, model: OpenModel, answering: Compared): Promise<AdapterExport> {
    const { summary, peft } = stored;
    const adapter = readPeft(peft.config, peft.weights, model.config);
    const { tokenizer, template } = model.format;
    const prompt = promptIds(tokenizer, template, [{ role: 'user', content: CHECK_PROMPT }]);
    const base = baseOf(adapter, model.summary);
    const embedded = model.summary.source === 'embedded';
    const { record, note } = await this.#record(stored, model, base);
    const made = await writeBundle({
      name: summary.name,
      adapter,
      model: model.config,
      base,
      baseGguf: embedded
        ? await writeGgufModel(model.config, model.source, model.assets, model.summary.name)
        : null,
      created: summary.created,
      record,
      logitsOf: (weights) => answering.lastLogits(model, weights, prompt),
    });
    return { ...made, note };
  }

  async #record(
    { summary, peft, runRecord }: StoredAdapter,
    model: OpenModel,
    own: BaseName,
  ): Promise<Recorded> {
    if (runRecord !== null) {
      const before = readRunRecord(runRecord);
      return { record: () => before, note: null };
    }
    if (summary.runId === null) return { record: null, note: null };
    let run: StoredRun;
    try {
      run = await this.#book.find(summary.runId);
    } catch (error) {
      // an adapter outlives its run, and a database that is closed
      const why = error instanceof Error ? error.message : String(error);
      return {
        record: null,
        note: `Without run.json, the record of its run, which could not be read. (${why})`,
      };
    }
    const machine = await capabilities();
    const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const base = {
      repository: own.name,
      revision: own.revision,
      family: model.summary.family,
      files: model.weightFiles.flatMap(({ name, bytes, sha256 }) =>
        sha256 ? [{ name, bytes, sha256 }] : [],
      ),
      tokenizerSha256: await sha256(text(model.assets.tokenizer)),
      templateSha256:
        model.assets.chatTemplate === null ? null : await sha256(text(model.assets.chatTemplate)),
    };
    const adapterSha256 = await sha256(peft.weights);
    const record = (exports: ReceiptLine[]) =>
      buildRunRecord({
        app: { version, commit: null },
        created: run.created,
        finished: summary.created,
        base,
        data: run.data,
        history: { settings: run.settings, steps: run.history.steps, evaluations: run.history.evaluations },
        capabilities: machine,
        browser: globalThis.navigator?.userAgent ?? null,
        adapterSha256,
        scores: this.#scores.get(summary.id) ?? null,
        exports,
        faults: faultsOf(run.plan?.detours ?? []),
      });
    return { record, note: null };
  }
}

/** `note`: why there is no record where one was to be expected. */
interface Recorded {
  record: ((receipt: ReceiptLine[]) => RunRecord) | null;
  note: string | null;
}

/** The model's repository; of a model from files what the adapter came with says, and else the model's name. */
function baseOf({ baseName, revision }: PeftAdapter, model: ModelSummary): BaseName {
  return model.origin || baseName === null ? publishedAs(model) : { name: baseName, revision };
}

/** A sentence where an adapter's files name another base than the model; null where the names agree, or none is given. */
function otherBase(baseName: string | null, { name, origin }: ModelSummary): string | null {
  if (baseName === null) return null;
  const plain = (text: string) =>
    text
      .split('/')
      .at(-1)
      ?.toLowerCase()
      .replace(/[^\p{L}\p{N}]/gu, '') ?? '';
  const said = plain(baseName);
  const here = [name, origin?.repository ?? name].map(plain);
  if (said === '' || here.some((one) => one !== '' && (one.includes(said) || said.includes(one))))
    return null;
  return `Its files say that it was trained on ${baseName}, not on ${name}. Shapes agree, but on another model than its own an adapter’s answers mean nothing.`;
}
