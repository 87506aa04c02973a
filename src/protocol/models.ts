/**
 * How models come in and what the browser keeps: the part of the trainer's API behind the pages "Models" and "Storage".
 * A download is an activity that can end early and go on later, also in another tab; it has an id from its first moment.
 */
import type { Bytes, Milliseconds, Seconds, Tokens } from '../units';
import type { DatasetFile } from './datasetApi';
import type { Result } from './result';
import type { WeightFormat } from './weightFormats';

/** The hub that model ids without another address belong to. */
export const DEFAULT_HUB = 'https://huggingface.co';

/** A model at hand, as lists and pages show it. */
export interface ModelSummary {
  id: string;
  name: string;
  family: string;
  parameters: number;
  bytes: Bytes;
  source: 'embedded' | 'kept';
  contextLength: Tokens;
  /** The form its matrices are kept in; null: any form can be made of them. */
  weightFormat: WeightFormat | null;
  /** Where a kept model came from, and what exactly. */
  origin: { repository: string; commit: string } | null;
  /** What its weights lost when they were kept; absent where nothing was counted. */
  losses?: Losses;
}

/** A repository at a moment. The token goes to the hub's own host and nowhere else, and is never stored. */
export interface HubSource {
  /** "ORG/NAME" */
  repository: string;
  /** Branch, tag or commit. */
  revision: string;
  /** Base address; DEFAULT_HUB where absent. A mirror lies on the page's own origin. */
  hub?: string | undefined;
  token?: string | undefined;
}

export interface HubFile {
  name: string;
  bytes: Bytes;
  /** Of the whole file, where the hub tells it. */
  sha256: string | null;
}

/** What a repository says of itself before anything large is fetched. */
export interface ModelFacts {
  repository: string;
  /** As asked for. */
  revision: string;
  /** What it resolved to; every file is read from this commit. */
  commit: string;
  /** config.json, parsed. */
  config: unknown;
  /** config.json's first architecture, e.g. "Qwen2ForCausalLM". */
  architecture: string;
  /** Null: it can be trained. Else a sentence that names what is missing. */
  unsupported: string | null;
  /** Null where the architecture is not supported. */
  parameters: number | null;
  contextLength: number | null;
  /** What a download fetches: weights, config, tokenizer. */
  files: HubFile[];
  downloadBytes: Bytes;
  /** Kept in the browser and on the device, by weight format. Null where the architecture is not supported. */
  weightBytes: Record<WeightFormat, Bytes> | null;
  suggestedFormat: WeightFormat;
  /** As the hub says, e.g. "apache-2.0". */
  licence: string | null;
  gated: boolean;
}

/** What did not survive as it was: numbers of weights. All zero where blocks were taken over as they are. */
export interface Losses {
  /** Finite, past the range of f16: kept as ±65504. Counted where a weight itself becomes an f16. */
  saturated: number;
  /** Not zero, at most half the smallest f16: kept as zero. Counted where a weight itself becomes an f16. */
  flushed: number;
  /** Infinite or no number in the file itself. */
  notFinite: number;
}

/** A request to a hub, as the log shows it. Holds no token and no signature. */
export interface HubRequest {
  /** Milliseconds since 1970. */
  at: number;
  /** The one that answered; the one that was asked while nobody has. */
  host: string;
  path: string;
  /** Asked for, or said by the answer; null where neither tells. */
  bytes: Bytes | null;
  /** Null while it is waited for. */
  status: number | 'no answer' | null;
}

export interface DownloadRequest extends HubSource {
  weightFormat: WeightFormat;
}

export interface DownloadProgress {
  /** For pause, resume and cancel. */
  id: string;
  /** `waiting`: the hub asked for patience or the line is cut; `message` says how long. */
  phase: 'asking' | 'weights' | 'waiting' | 'checking';
  /** Of the source's bytes, those converted and stored. */
  bytesDone: Bytes;
  bytesTotal: Bytes;
  bytesPerSecond: number | null;
  etaSeconds: Seconds | null;
  file: string | null;
  message: string | null;
}

/** How a download ended. Paused ones stay in `downloads()`. */
export type DownloadEnd =
  { state: 'kept'; model: ModelSummary } | { state: 'paused'; id: string } | { state: 'cancelled' };

export interface UnfinishedDownload {
  id: string;
  name: string;
  /** Null: from files of this machine, which must be chosen again to go on. */
  source: { repository: string; commit: string; hub: string } | null;
  weightFormat: WeightFormat;
  bytesDone: Bytes;
  bytesTotal: Bytes;
  started: number;
  /** At work in this tab now. */
  running: boolean;
}

/** A chosen or dropped file; it is read by pieces and never whole. */
export interface PickedFile {
  /** With its folder where known, e.g. "Qwen3-0.6B/config.json". */
  path: string;
  file: Blob;
}

export type StoredKind = 'model' | 'run' | 'adapter' | 'download' | 'dataset';
export interface StoredItem {
  kind: StoredKind;
  id: string;
  name: string;
  bytes: Bytes;
  created: number;
  /** What else there is to know, e.g. "q4" or "step 40 of 100". */
  note: string | null;
}

export interface RemovedItem extends StoredItem {
  /** Milliseconds since 1970: until then `undoRemove` brings it back. */
  goneAt: number;
}

export interface StorageReport {
  items: StoredItem[];
  /** Deleted a short while ago; their bytes are still held. */
  removed: RemovedItem[];
  /** Null where the browser does not tell. An estimate only. */
  quota: Bytes | null;
  usage: Bytes | null;
  /** Whether the browser promised not to evict; asked for by the page, since workers may not. */
  persisted: boolean | null;
}

export interface ModelArchive {
  /** A name for the file. */
  name: string;
  file: Blob;
}

export interface ModelsApi {
  /** Asks the hub; fetches small files only. */
  describeModel(source: HubSource): Promise<Result<ModelFacts>>;
  /** Streams in, converts and keeps a model. Goes on where an earlier download of the same commit and format stopped. */
  downloadModel(
    request: DownloadRequest,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<Result<DownloadEnd>>;
  /** Ends the connection; what is verified stays. The call that downloads resolves to `paused`. */
  pauseDownload(id: string): Promise<Result<null>>;
  /** Goes on with a paused download, or one that a closed tab left. */
  resumeDownload(
    id: string,
    access: Pick<HubSource, 'token'>,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<Result<DownloadEnd>>;
  /** Ends it and deletes what was fetched. */
  cancelDownload(id: string): Promise<Result<null>>;
  downloads(): Promise<Result<UnfinishedDownload[]>>;
  /** What this tab has asked of hubs since it was opened, newest first; only the last ones are known. */
  hubRequests(): Promise<Result<HubRequest[]>>;
  /** Adds a model from files in Hugging Face layout. The same path as a download: by pieces, checked, converted. */
  addModel(
    files: PickedFile[],
    weightFormat: WeightFormat | null,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<Result<DownloadEnd>>;
  storage(): Promise<Result<StorageReport>>;
  /** Hides the item at once and deletes it after a grace period. An adapter that was never stored goes at once. */
  remove(kind: StoredKind, id: string): Promise<Result<RemovedItem>>;
  undoRemove(kind: StoredKind, id: string): Promise<Result<null>>;
  /** Keeps the file of one's own that is open, for the page's next visit; null: there is none to go on with. */
  keepDataset(file: DatasetFile<Blob> | null): Promise<Result<null>>;
  keptDataset(): Promise<Result<DatasetFile<Blob> | null>>;
  /** Models as one file, for other machines. Holds no more than a piece of it in memory. */
  exportModels(ids: string[]): Promise<Result<ModelArchive>>;
  importModels(file: Blob, onProgress: (done: Bytes, total: Bytes) => void): Promise<Result<ModelSummary[]>>;
}

/** How long a deletion can be undone. */
export const UNDO_TIME: Milliseconds = 30_000;
