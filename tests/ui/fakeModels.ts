/** A hub and a browser's storage for the screen's tests: fixed answers, and downloads whose progress the test plays by hand. */
import type { DatasetFile } from '../../src/protocol/datasetApi';
import { candidateFrom, weightBytesOf } from '../../src/guide/candidate';
import type {
  DownloadEnd,
  DownloadProgress,
  HubRequest,
  ModelFacts,
  ModelSummary,
  ModelsApi,
  RemovedItem,
  StorageReport,
  StoredItem,
  UnfinishedDownload,
} from '../../src/protocol/models';
import type { Result } from '../../src/protocol/result';

const ok = <T>(value: T): Result<T> => ({ ok: true, value });
const GB = 1e9;

/** Qwen2.5-0.5B's config.json, as far as it is read. */
export const qwenConfig = {
  architectures: ['Qwen2ForCausalLM'],
  hidden_size: 896,
  intermediate_size: 4864,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  vocab_size: 151936,
  max_position_embeddings: 32768,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  tie_word_embeddings: true,
};

const asked = { at: Date.UTC(2026, 0, 5, 9), host: 'huggingface.co' };
export const hubRequests: HubRequest[] = [
  {
    ...asked,
    path: `/Qwen/Qwen2.5-0.5B-Instruct/resolve/main/model.safetensors`,
    bytes: 988_097_824,
    status: null,
  },
  { ...asked, path: '/Qwen/Qwen2.5-0.5B-Instruct/resolve/main/config.json', bytes: 659, status: 200 },
  { ...asked, path: '/api/models/Qwen/Qwen2.5-0.5B-Instruct', bytes: null, status: 'no answer' },
];

export const facts: ModelFacts = {
  repository: 'Qwen/Qwen2.5-0.5B-Instruct',
  revision: 'main',
  commit: '7ae557604adf67be50417f59c2c2f167def9a775',
  config: qwenConfig,
  architecture: 'Qwen2ForCausalLM',
  unsupported: null,
  parameters: 494_032_768,
  contextLength: 32768,
  files: [
    { name: 'model.safetensors', bytes: 988_097_824, sha256: 'ab'.repeat(32) },
    { name: 'tokenizer.json', bytes: 7_031_645, sha256: null },
    { name: 'config.json', bytes: 659, sha256: null },
  ],
  downloadBytes: 995_130_128,
  weightBytes: weightBytesOf(candidateFrom(qwenConfig).config),
  suggestedFormat: 'q4',
  licence: 'apache-2.0',
  gated: false,
};

export const foreign: ModelFacts = {
  ...facts,
  repository: 'tiiuae/falcon-7b',
  config: {},
  architecture: 'FalconForCausalLM',
  unsupported:
    'FalconForCausalLM is not supported: its attention runs beside the feed-forward, and no family here does that.',
  parameters: null,
  contextLength: null,
  weightBytes: null,
};

export const kept: ModelSummary = {
  id: 'kept-qwen',
  name: 'Qwen2.5-0.5B-Instruct',
  family: 'Qwen2',
  parameters: 494_032_768,
  bytes: 350_000_000,
  source: 'kept',
  contextLength: 32768,
  weightFormat: 'q4',
  origin: { repository: facts.repository, commit: facts.commit },
};

export const unfinished: UnfinishedDownload = {
  id: 'd9',
  name: 'meta-llama/Llama-3.2-1B-Instruct',
  source: {
    repository: 'meta-llama/Llama-3.2-1B-Instruct',
    commit: '9213176726f574b556790deb65791e0c5aa438b6',
    hub: 'https://huggingface.co',
  },
  weightFormat: 'q4',
  bytesDone: 1.48 * GB,
  bytesTotal: 2.47 * GB,
  started: Date.UTC(2026, 10, 23, 18, 30),
  running: false,
};

const item = (
  kind: StoredItem['kind'],
  id: string,
  name: string,
  bytes: number,
  note: string | null,
): StoredItem => ({
  kind,
  id,
  name,
  bytes,
  note,
  created: Date.UTC(2026, 10, 24, 9, 0),
});
/** As workers/models/keeping.ts gives them: the notes of models and downloads are weight formats. */
export const storedItems: StoredItem[] = [
  item('model', 'kept-qwen', 'Qwen2.5-0.5B-Instruct', 0.35 * GB, 'q4'),
  item('model', 'kept-smol', 'SmolLM2-135M-Instruct', 0.27 * GB, 'f16'),
  item('download', 'd9', 'meta-llama/Llama-3.2-1B-Instruct', 1.1 * GB, 'q4'),
  item('run', 'r2', 'banking77 · Qwen2.5-0.5B-Instruct', 61e6, 'step 24 of 60'),
  item('adapter', 'a1', 'Turn sentences into records · Tiny Llama', 412_000, 'rank 16'),
];

export const progress = (share: number, changes: Partial<DownloadProgress> = {}): DownloadProgress => ({
  id: 'd1',
  phase: 'weights',
  bytesDone: Math.round(facts.downloadBytes * share),
  bytesTotal: facts.downloadBytes,
  bytesPerSecond: 11_400_000,
  etaSeconds: Math.round((facts.downloadBytes * (1 - share)) / 11_400_000),
  file: 'model.safetensors',
  message: null,
  ...changes,
});

/** `tell` sends a download's progress, `settle` lets it resolve. */
export class FakeModels implements ModelsApi {
  calls: string[] = [];
  items: StoredItem[] = [...storedItems];
  removed: RemovedItem[] = [];
  left: UnfinishedDownload[] = [];
  persisted: boolean | null = false;
  tell: (progress: DownloadProgress) => void = () => undefined;
  settle: (result: Result<DownloadEnd>) => void = () => undefined;

  describeModel: ModelsApi['describeModel'] = async (source) => {
    this.calls.push(`describe ${source.repository}@${source.revision}${source.token ? ' with a token' : ''}`);
    if (source.repository === foreign.repository) return ok(foreign);
    if (source.repository === facts.repository) return ok({ ...facts, revision: source.revision });
    return {
      ok: false,
      failure: {
        kind: 'hub',
        reason: 'not-found',
        status: 404,
        message: `There is no ${source.repository} at ${source.revision} on this hub. Look at the spelling.`,
      },
    };
  };
  downloadModel: ModelsApi['downloadModel'] = (request, onProgress) =>
    this.#play(`download ${request.repository} ${request.weightFormat}`, onProgress);
  resumeDownload: ModelsApi['resumeDownload'] = (id, _access, onProgress) =>
    this.#play(`resume ${id}`, onProgress);
  addModel: ModelsApi['addModel'] = (files, _format, onProgress) =>
    this.#play(`add ${files.map(({ path }) => path).join(' ')}`, onProgress);
  pauseDownload: ModelsApi['pauseDownload'] = async (id) => {
    this.calls.push(`pause ${id}`);
    this.left = [{ ...unfinished, id, name: facts.repository }];
    this.settle(ok({ state: 'paused', id }));
    return ok(null);
  };
  cancelDownload: ModelsApi['cancelDownload'] = async (id) => {
    this.calls.push(`cancel ${id}`);
    this.left = this.left.filter((one) => one.id !== id);
    this.settle(ok({ state: 'cancelled' }));
    return ok(null);
  };
  downloads: ModelsApi['downloads'] = async () => ok(this.left);
  hubRequests: ModelsApi['hubRequests'] = async () => ok(hubRequests);
  storage: ModelsApi['storage'] = async () => {
    const report: StorageReport = {
      items: this.items,
      removed: this.removed,
      quota: 64 * GB,
      usage: this.items.reduce((sum, { bytes }) => sum + bytes, 0.02 * GB),
      persisted: this.persisted,
    };
    return ok(report);
  };
  remove: ModelsApi['remove'] = async (kind, id) => {
    this.calls.push(`remove ${kind} ${id}`);
    const found = this.items.find((one) => one.kind === kind && one.id === id);
    if (found === undefined)
      return { ok: false, failure: { kind: 'bad-input', message: `There is no ${kind} ${id}.` } };
    const removed = { ...found, goneAt: Date.now() + 30_000 };
    this.items = this.items.filter((one) => one !== found);
    this.removed = [...this.removed, removed];
    return ok(removed);
  };
  undoRemove: ModelsApi['undoRemove'] = async (kind, id) => {
    this.calls.push(`undo ${kind} ${id}`);
    const found = this.removed.find((one) => one.kind === kind && one.id === id);
    if (found !== undefined) this.items = [...this.items, found];
    this.removed = this.removed.filter((one) => one !== found);
    return ok(null);
  };
  /** Of an earlier visit, or of this one. */
  dataset: DatasetFile<Blob> | null = null;
  keepDataset: ModelsApi['keepDataset'] = async (file) => {
    this.dataset = file;
    return ok(null);
  };
  keptDataset: ModelsApi['keptDataset'] = async () => ok(this.dataset);
  exportModels: ModelsApi['exportModels'] = async (ids) => {
    this.calls.push(`export ${ids.join(' ')}`);
    return ok({ name: 'models.loratory', file: new Blob(['models']) });
  };
  importModels: ModelsApi['importModels'] = async (file, onProgress) => {
    this.calls.push('import');
    onProgress(file.size, file.size);
    return ok([kept]);
  };

  #play(call: string, onProgress: (progress: DownloadProgress) => void): Promise<Result<DownloadEnd>> {
    this.calls.push(call);
    this.tell = onProgress;
    return new Promise((resolve) => (this.settle = resolve));
  }
}
