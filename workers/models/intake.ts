/** Models coming in, from the hub or from files: described, streamed, paused, taken up again. One activity for each id. */
import { assetsFrom, LARGEST_TOKENIZER } from '../../src/chat/assets';
import type { Checkpoint } from '../../src/checkpoint/checkpoint';
import { fileOnDisk, type FileBytes } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { hubBase } from '../../src/hub/address';
import { Ended } from '../../src/hub/hubError';
import { sleep, type HubAccess } from '../../src/hub/request';
import { RequestLog } from '../../src/hub/requestLog';
import { readConfig } from '../../src/model/config';
import { parameterCount } from '../../src/model/shapes';
import { suitedFormat } from '../../src/protocol/suitedFormat';
import {
  DEFAULT_HUB,
  type DownloadEnd,
  type DownloadRequest,
  type HubSource,
  type ModelFacts,
  type PickedFile,
  type UnfinishedDownload,
} from '../../src/protocol/models';
import type { ChatAssets } from '../../src/protocol/data';
import type { WeightFormat } from '../../src/protocol/weightFormats';
import type { Bytes } from '../../src/units';
import type { Storage } from '../../src/storage/database';
import { filesIn, keepModel } from '../../src/storage/keepModel';
import { listParts } from '../../src/storage/modelParts';
import { beginDownload, deleteModel, findModel, listDownloads } from '../../src/storage/models';
import { LAYOUT, type ModelHead, type Origin } from '../../src/storage/schema';
import { startByteWorkers, type ByteWorkers } from '../threads/byteWorkers';
import { BadRequest } from '../failures';
import { whileLoading } from '../threads/locks';
import { headOf, idOf, samplesOf } from './modelHead';
import { summaryOf } from './modelSummary';
import { readAssets } from '../threads/readAssets';
import { factsOf, openRepositoryModel, readRepositoryModel, TEXTS } from './repositoryModel';
import { Teller, type Report } from './teller';

type Wish = 'go on' | 'pause' | 'cancel';
interface Activity {
  wish: Wish;
  stop: AbortController;
}

export interface Surroundings {
  /** Of the page; a mirror on it may be asked. */
  origin: string | null;
  fetch: HubAccess['fetch'];
  sleep: HubAccess['sleep'];
  /** Threads that hash and convert; without them the same is done in the thread of the caller. */
  byteWorkers?: () => ByteWorkers;
  /** Runs tokenizer and template where they can be stopped; without it they run in the thread of the caller. */
  readAssets?: (files: ReadonlyMap<string, string>, config: unknown) => Promise<ChatAssets>;
  /** Smaller parts on the disk, so that a small model has several. */
  partBytes?: Bytes;
}

export const browserSurroundings = (): Surroundings => ({
  origin: globalThis.location?.origin ?? null,
  fetch: (url, init) => fetch(url, init),
  sleep,
  byteWorkers: startByteWorkers,
  readAssets: (files, config) => readAssets(files, config),
});

export class Intake {
  readonly requests = new RequestLog();
  #active = new Map<string, Activity>();

  constructor(
    private readonly db: Storage,
    private readonly around: Surroundings,
    /** Told when a model's record has changed. */
    private readonly changed: (id: string) => void,
  ) {}

  async describe(source: HubSource): Promise<ModelFacts> {
    const access = this.#access(source, new AbortController().signal, () => undefined);
    return factsOf(access, source.revision, await readRepositoryModel(access, source));
  }

  /** Everything of it is asked for anew but the weights that are kept already. */
  async download(request: DownloadRequest, report: Report): Promise<DownloadEnd> {
    const { repository, revision, weightFormat } = request;
    const hub = hubBase(request.hub ?? DEFAULT_HUB, this.around.origin).href;
    const activity: Activity = { wish: 'go on', stop: new AbortController() };
    let id = `asking ${hub} ${repository} ${revision} ${weightFormat}`;
    const teller = new Teller(() => id, report);
    const access = this.#access(request, activity.stop.signal, (message) => teller.waiting(message));
    return this.#at(
      activity,
      () => id,
      async () => {
        teller.asking(repository);
        const model = await readRepositoryModel(access, { repository, revision });
        const origin: Origin = { hub, repository, commit: model.repository.commit };
        const before = id;
        id = await idOf([hub, repository, origin.commit, weightFormat, String(LAYOUT)]);
        this.#rename(before, id, activity);
        const checkpoint = await openRepositoryModel(access, model);
        const assets = await this.#assets(checkpoint);
        const name = repository.split('/').at(-1) ?? repository;
        const head = headOf(id, name, checkpoint, assets, weightFormat, origin);
        head.files = filesIn(checkpoint).map(({ name, size }) => ({
          name,
          bytes: size,
          sha256: model.weights.find((file) => file.name === name)?.sha256 ?? null,
        }));
        return { head, checkpoint, teller };
      },
    );
  }

  /** Chosen or dropped files. The same files again go on where they were left. */
  async add(picked: PickedFile[], weightFormat: WeightFormat | null, report: Report): Promise<DownloadEnd> {
    const activity: Activity = { wish: 'go on', stop: new AbortController() };
    let id = `asking files ${crypto.randomUUID()}`;
    const teller = new Teller(() => id, report);
    return this.#at(
      activity,
      () => id,
      async () => {
        const texts = new Map<string, string>();
        const files: FileBytes[] = [];
        for (const { path, file } of picked) {
          const name = path.split('/').at(-1) ?? path;
          if (/\.(safetensors|gguf)$/i.test(name)) files.push(fileOnDisk(new File([file], name)));
          else if (TEXTS.includes(name) || name === 'model.safetensors.index.json') {
            if (file.size > LARGEST_TOKENIZER)
              throw new BadRequest(`${name} has ${file.size} bytes; at most ${LARGEST_TOKENIZER} are read.`);
            texts.set(name, await file.text());
          }
        }
        const checkpoint = await openCheckpoint(files, texts);
        const config = readConfig(checkpoint.config);
        const format = weightFormat ?? suitedFormat(parameterCount(config));
        const before = id;
        const sizes = filesIn(checkpoint).map(({ name, size }) => `${name} ${size}`);
        const samples = await Promise.all(filesIn(checkpoint).map(samplesOf));
        id = await idOf([JSON.stringify(checkpoint.config), ...sizes, ...samples, format, String(LAYOUT)]);
        this.#rename(before, id, activity);
        const folder = picked
          .find(({ path }) => path.endsWith('config.json'))
          ?.path.split('/')
          .at(-2);
        const head = headOf(
          id,
          folder ?? files[0]?.name.replace(/\.\w+$/, '') ?? 'Model',
          checkpoint,
          await this.#assets(checkpoint),
          format,
          null,
        );
        head.files = filesIn(checkpoint).map(({ name, size }) => ({ name, bytes: size, sha256: null }));
        return { head, checkpoint, teller };
      },
    );
  }

  async resume(id: string, { token }: Pick<HubSource, 'token'>, report: Report): Promise<DownloadEnd> {
    const head = (await listDownloads(this.db)).find((download) => download.id === id);
    if (!head) throw new BadRequest('There is no such unfinished download any more.');
    if (!head.origin)
      throw new BadRequest(
        `${head.name} came from files of this machine: choose the same files again to go on.`,
      );
    const { hub, repository, commit } = head.origin;
    return this.download(
      { hub, repository, revision: commit, weightFormat: head.weightFormat, token },
      report,
    );
  }

  pause(id: string): void {
    this.#end(id, 'pause');
  }

  async cancel(id: string): Promise<void> {
    if (!this.#end(id, 'cancel')) await deleteModel(this.db, id);
  }

  async unfinished(): Promise<UnfinishedDownload[]> {
    const heads = await listDownloads(this.db);
    return Promise.all(
      heads.map(async ({ id, name, origin, weightFormat, files, created }) => {
        const last = (await listParts(this.db, id)).at(-1);
        const before = files.slice(0, last?.file ?? 0).reduce((sum, { bytes }) => sum + bytes, 0);
        return {
          id,
          name,
          source: origin,
          weightFormat,
          bytesDone: before + (last?.end ?? 0),
          bytesTotal: files.reduce((sum, { bytes }) => sum + bytes, 0),
          started: created,
          running: this.#active.has(id),
        };
      }),
    );
  }

  #end(id: string, wish: Wish): boolean {
    const activity = this.#active.get(id);
    if (!activity) return false;
    activity.wish = wish;
    activity.stop.abort();
    return true;
  }

  #rename(before: string, id: string, activity: Activity): void {
    if (this.#active.has(id)) throw new BadRequest('This model is being loaded in this tab already.');
    this.#active.delete(before);
    this.#active.set(id, activity);
  }

  /** Opens a source, keeps it as a model, and says how it ended. */
  async #at(
    activity: Activity,
    id: () => string,
    open: () => Promise<{ head: ModelHead; checkpoint: Checkpoint; teller: Teller }>,
  ): Promise<DownloadEnd> {
    this.#active.set(id(), activity);
    try {
      const { head, checkpoint, teller } = await open();
      const known = await findModel(this.db, head.id);
      if (known) return { state: 'kept', model: summaryOf(known) };
      const model = await whileLoading(head.id, () => this.#keep(head, checkpoint, activity, teller));
      this.changed(head.id);
      return { state: 'kept', model };
    } catch (error) {
      if (!(error instanceof Ended) || activity.wish === 'go on') throw error;
      if (activity.wish === 'pause') return { state: 'paused', id: id() };
      await deleteModel(this.db, id());
      return { state: 'cancelled' };
    } finally {
      if (this.#active.get(id()) === activity) this.#active.delete(id());
    }
  }

  async #keep(head: ModelHead, checkpoint: Checkpoint, { stop }: Activity, teller: Teller) {
    const total = head.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const before = (await listDownloads(this.db)).find((download) => download.id === head.id);
    if (before) head.created = before.created;
    await beginDownload(this.db, head);
    teller.checking(total);
    const workers = this.around.byteWorkers?.();
    try {
      const model = await keepModel(this.db, head, checkpoint, {
        report: (done, file) => teller.done(done, total, file),
        check: () => {
          if (stop.signal.aborted) throw new Ended();
        },
        ...(workers && { work: workers.work }),
        ...(this.around.partBytes === undefined ? {} : { partBytes: this.around.partBytes }),
      });
      return summaryOf(model);
    } finally {
      workers?.end();
    }
  }

  #assets({ texts, config }: Checkpoint): Promise<ChatAssets> {
    const inline = (...given: Parameters<typeof assetsFrom>) =>
      Promise.resolve().then(() => assetsFrom(...given));
    return (this.around.readAssets ?? inline)(texts, config);
  }

  #access(source: HubSource, signal: AbortSignal, onWait: (message: string) => void): HubAccess {
    return {
      base: hubBase(source.hub ?? DEFAULT_HUB, this.around.origin),
      token: source.token === undefined || source.token === '' ? null : source.token,
      signal,
      fetch: this.requests.watch(this.around.fetch),
      sleep: this.around.sleep,
      onWait,
    };
  }
}
