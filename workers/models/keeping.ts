/** What this browser keeps: the report, deletions that can be undone for a while, models as one file out and in. */
import type { DatasetFile } from '../../src/protocol/datasetApi';
import {
  type ModelArchive,
  type ModelSummary,
  type RemovedItem,
  type StorageReport,
  type StoredItem,
  type StoredKind,
  UNDO_TIME,
} from '../../src/protocol/models';
import { readConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';
import { deleteAdapter } from '../../src/storage/adapters';
import { readArchive, writeArchive } from '../../src/storage/archive';
import type { Storage } from '../../src/storage/database';
import { deleteDataset, keepDataset, listDatasets } from '../../src/storage/datasets';
import { deleteModel, deleteOrphans } from '../../src/storage/models';
import { listRemovals, markRemoved, removedIds, unmarkRemoved } from '../../src/storage/removals';
import { deleteRun } from '../../src/storage/runs';
import type { StoredModel } from '../../src/storage/schema';
import { storedItems } from '../../src/storage/sizes';
import { BadRequest } from '../failures';
import { unlessTakingIn, whileTakingIn } from '../threads/locks';
import { summaryOf } from './modelSummary';

export class Keeping {
  #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(
    private readonly db: Storage,
    /** Told when a model is gone, or is there anew. */
    private readonly modelChanged: (id: string) => void,
    private readonly cancelDownload: (id: string) => Promise<void>,
    /** Runs tokenizer and template for the first time; where they can be stopped, in a browser. */
    private readonly tryAssets: (files: ReadonlyMap<string, string>, config: unknown) => Promise<unknown>,
    private readonly undoTime = UNDO_TIME,
  ) {}

  /** Ends what an earlier visit began: deletions whose time is up, models that were cut off while they were imported. */
  async tidy(): Promise<void> {
    for (const { kind, id, goneAt } of await listRemovals(this.db)) this.#schedule(kind, id, goneAt);
    await unlessTakingIn(() => deleteOrphans(this.db));
  }

  async report(): Promise<StorageReport> {
    const [items, removals] = await Promise.all([storedItems(this.db), listRemovals(this.db)]);
    const goneAt = new Map(removals.map(({ kind, id, goneAt: at }) => [`${kind} ${id}`, at]));
    const removed = items.flatMap((item): RemovedItem[] => {
      const at = goneAt.get(`${item.kind} ${item.id}`);
      return at === undefined ? [] : [{ ...item, goneAt: at }];
    });
    // absent outside secure contexts
    const manager: StorageManager | undefined = globalThis.navigator?.storage;
    const estimate = await manager?.estimate();
    return {
      items: items.filter(({ kind, id }) => !goneAt.has(`${kind} ${id}`)),
      removed,
      quota: estimate?.quota ?? null,
      usage: estimate?.usage ?? null,
      persisted: (await manager?.persisted()) ?? null,
    };
  }

  async remove(kind: StoredKind, id: string): Promise<RemovedItem> {
    const item = (await storedItems(this.db)).find((one) => one.kind === kind && one.id === id);
    if (!item)
      throw new BadRequest(
        kind === 'model' && !id.startsWith('kept-')
          ? 'The models that come with the page cannot be removed.'
          : `There is no such ${kind} in this browser any more.`,
      );
    const goneAt = Date.now() + this.undoTime;
    await markRemoved(this.db, { kind, id, goneAt });
    this.#schedule(kind, id, goneAt);
    return { ...item, goneAt };
  }

  async undo(kind: StoredKind, id: string): Promise<void> {
    const known = (await listRemovals(this.db)).some((removal) => removal.kind === kind && removal.id === id);
    if (!known) throw new BadRequest('It is gone: the time to undo is over.');
    clearTimeout(this.#timers.get(`${kind} ${id}`));
    this.#timers.delete(`${kind} ${id}`);
    await unmarkRemoved(this.db, kind, id);
  }

  /** Null: nothing is to be opened again. */
  async keepDataset(file: DatasetFile<Blob> | null): Promise<void> {
    if (file) await keepDataset(this.db, file);
    else for (const { id } of await listDatasets(this.db)) await deleteDataset(this.db, id);
  }

  async keptDataset(): Promise<DatasetFile<Blob> | null> {
    const hidden = await removedIds(this.db, 'dataset');
    const found = (await listDatasets(this.db)).find(({ id }) => !hidden.has(id));
    if (!found) return null;
    const { name, bytes, columns } = found;
    return { name, bytes: new Blob([bytes]), ...(columns && { columns }) };
  }

  async exportModels(ids: string[]): Promise<ModelArchive> {
    if (ids.length === 0) throw new BadRequest('Choose at least one model to export.');
    const file = await writeArchive(this.db, ids);
    const items: StoredItem[] = await storedItems(this.db);
    const names = ids.map((id) => items.find((item) => item.id === id)?.name ?? id);
    const name = names.length === 1 ? (names[0] ?? 'model') : `${names.length} models`;
    return { name: `${name.replace(/[^\w.-]+/g, '-')}.loratory-models`, file };
  }

  async importModels(file: Blob, onProgress: (done: number, total: number) => void): Promise<ModelSummary[]> {
    const models = await whileTakingIn(() =>
      readArchive(this.db, file, (model) => this.#check(model), onProgress),
    );
    for (const { id } of models) this.modelChanged(id);
    return models.map(summaryOf);
  }

  #schedule(kind: StoredKind, id: string, goneAt: number): void {
    const work = () => {
      this.#timers.delete(`${kind} ${id}`);
      // a deletion that fails is tried again at the next visit; the item stays hidden until then
      this.#delete(kind, id).catch((error: unknown) => console.warn(`Deleting ${kind} ${id} failed.`, error));
    };
    this.#timers.set(`${kind} ${id}`, setTimeout(work, Math.max(0, goneAt - Date.now())));
  }

  /** A record from a file is believed as little as one from the hub. */
  async #check(model: StoredModel): Promise<void> {
    checkShapes(model);
    const { tokenizer, tokenizerConfig, chatTemplate } = model.assets;
    const files = new Map([
      ['tokenizer.json', JSON.stringify(tokenizer)],
      ['tokenizer_config.json', JSON.stringify(tokenizerConfig ?? {})],
    ]);
    if (chatTemplate !== null) files.set('chat_template.jinja', chatTemplate);
    await this.tryAssets(files, model.config);
  }

  async #delete(kind: StoredKind, id: string): Promise<void> {
    const marked = (await listRemovals(this.db)).some(
      (removal) => removal.kind === kind && removal.id === id,
    );
    if (!marked) return; // brought back in another tab
    switch (kind) {
      case 'model':
        await deleteModel(this.db, id);
        this.modelChanged(id);
        break;
      case 'download':
        await this.cancelDownload(id);
        break;
      case 'run':
        await deleteRun(this.db, id);
        break;
      case 'adapter':
        await deleteAdapter(this.db, id);
        break;
      case 'dataset':
        await deleteDataset(this.db, id);
        break;
      default:
        kind satisfies never;
    }
    await unmarkRemoved(this.db, kind, id);
  }
}

/** Its weights are those of its config. */
function checkShapes(model: StoredModel): void {
  const shapes = weightShapes(readConfig(model.config));
  const found = new Map(model.tensors.map(({ name, shape }) => [name, shape.join()]));
  for (const [name, shape] of shapes)
    if (found.get(name) !== shape.join())
      throw new BadRequest(
        `${model.name} in this file has ${name} as ${found.get(name) ?? 'nothing'}; its config says ${shape.join()}.`,
      );
}
