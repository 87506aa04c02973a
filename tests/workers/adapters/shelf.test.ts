/** What an adapter's files say of their base, and that an adapter outlives its run and the database. */
import '@tensorflow/tfjs-backend-cpu';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { unzip } from '../../../src/exchange/unzip';
import { openFormat } from '../../../src/chat/format';
import { writePeft } from '../../../src/exchange/peft';
import { defaultSettings } from '../../../src/protocol/settings';
import type { AdapterExport } from '../../../src/protocol/adapters';
import type { ModelSummary } from '../../../src/protocol/models';
import { loadWeights } from '../../../src/model/loadWeights';
import type { WeightFormat } from '../../../src/protocol/weightFormats';
import { openStorage, type Storage } from '../../../src/storage/database';
import { deleteRun, saveRun } from '../../../src/storage/runs';
import type { StoredAdapter } from '../../../src/storage/adapters';
import type { StoredRun } from '../../../src/storage/schema';
import type { OpenModel } from '../../../workers/models/modelFiles';
import { RunBook } from '../../../src/storage/runBook';
import { savedOrSaid } from '../../../workers/runs/savedOrSaid';
import { Shelf } from '../../../workers/adapters/shelf';
import { fixture } from '../../exchange/fixtures';
import { kept } from '../../ui/fakeModels';

vi.mock('../../../workers/device/machine', () => ({
  capabilities: async () => ({
    ...{ backend: 'cpu', device: 'none', software: true, sharedMemory: null, features: [], note: null },
    ...{ maxBindingBytes: 1, maxBufferBytes: 1 },
  }),
}));

const qwen = fixture('qwen2');
const commit = '7ae557604adf67be50417f59c2c2f167def9a775';
const sha256 = 'ab'.repeat(32);

/** The fixture, as if it had come from there. */
async function shelfWith(origin: ModelSummary['origin']): Promise<Shelf> {
  const source = await qwen.weights();
  const model: OpenModel = {
    config: qwen.config,
    rawConfig: {},
    assets: qwen.assets,
    source,
    format: openFormat(qwen.assets),
    weights: await loadWeights(qwen.config, source, 'f32'),
    weightFiles: [
      { name: 'model.safetensors', bytes: 12, sha256 },
      { name: 'unknown.safetensors', bytes: 13, sha256: null },
    ],
    hash: async () => sha256,
    summary: { ...kept, id: 'kept', name: 'Qwen2.5-0.5B', origin },
  };
  const library = {
    use: <T>(_id: string, _format: WeightFormat, work: (model: OpenModel) => Promise<T>) => work(model),
    files: async () => model,
  };
  return new Shelf(db, new RunBook(db), library);
}
const answering = { lastLogits: async () => new Float32Array([1, 2, 3]) };

let db: Storage;
let databases = 0;
beforeEach(async () => {
  db = await openStorage(`shelf-${++databases}`);
});
afterEach(() => db.close());

const none = {
  ...{ length: 1, rows: 0, examples: 0, supervised: 0 },
  ...{ ids: new Int32Array(0), targets: new Int32Array(0), documentStart: new Int32Array(0) },
};
const run: StoredRun = {
  ...{ id: 'run', name: 'Shop', modelId: 'kept', modelName: 'Qwen', datasetName: 'a', created: 1 },
  ...{ status: 'finished', step: 3, steps: 9, bestLoss: null, adapterId: 'shop', plan: null },
  settings: defaultSettings,
  data: {
    ...{ name: 'a', hash: 'ab', train: none, validation: none, test: [], testIsValidation: true },
    split: { rule: 'none', seed: 1, train: 0, validation: 0, test: 0 },
  },
  history: { steps: [], evaluations: [], finished: null },
};

/** `runId` null: taken in from files. */
function adapter(runId: string | null, baseName = 'someone/base'): StoredAdapter {
  const origin = runId === null ? 'imported' : 'trained';
  const { rank, alpha, targets } = qwen.adapter('lora').spec;
  return {
    summary: {
      ...{ id: 'shop', name: 'Shop', modelId: 'kept', modelName: 'Qwen', created: 1, bytes: 1 },
      ...{ rank, alpha, targets, origin, bestLoss: null, runId },
    },
    peft: writePeft(qwen.adapter('lora'), { name: baseName, revision: null }),
    runRecord: null,
  };
}

/** The base in each file of a download. */
async function basesIn({ zip }: AdapterExport) {
  const files = await unzip(new Uint8Array(await zip.arrayBuffer()), { maxEntries: 100, maxBytes: 1e9 });
  const text = (end: string) => {
    const file = files.find(({ name }) => name.endsWith(end));
    return file ? new TextDecoder().decode(file.bytes) : null;
  };
  const parsed = (end: string) => JSON.parse(text(end) ?? 'null') as Record<string, unknown> | null;
  const peft = parsed('peft/adapter_config.json');
  return {
    peft: [peft?.base_model_name_or_path, peft?.revision],
    mlx: parsed('mlx/adapter_config.json')?.model,
    card: /from_pretrained\("([^"]*)"\)/.exec(text('README.md') ?? '')?.[1],
    record: parsed('run.json')?.base as Record<string, unknown> | undefined,
  };
}

it('every file names the repository and the commit that the model came from', async () => {
  const shelf = await shelfWith({ repository: 'Qwen/Qwen2.5-0.5B', commit });
  await saveRun(db, run);
  await shelf.put(adapter('run'));
  const made = await shelf.hand('shop', answering);
  expect(made.note).toBeNull();
  const { peft, mlx, card, record } = await basesIn(made);
  expect(peft).toEqual(['Qwen/Qwen2.5-0.5B', commit]);
  expect([mlx, card]).toEqual(['Qwen/Qwen2.5-0.5B', 'Qwen/Qwen2.5-0.5B']);
  expect(record).toMatchObject({
    repository: 'Qwen/Qwen2.5-0.5B',
    revision: commit,
    files: [{ name: 'model.safetensors', bytes: 12, sha256 }],
  });
});

it('an adapter from files on a model from files keeps the base that it came with', async () => {
  const shelf = await shelfWith(null);
  await shelf.put(adapter(null));
  expect((await basesIn(await shelf.hand('shop', answering))).peft).toEqual(['someone/base', null]);
});

it('is handed out without a record once its run is gone, and says so', async () => {
  const shelf = await shelfWith(null);
  await saveRun(db, run);
  await shelf.put(adapter('run'));
  await deleteRun(db, 'run');
  const made = await shelf.hand('shop', answering);
  expect(made.note).toContain('Without run.json');
  expect((await basesIn(made)).record).toBeUndefined();
});

it('what could not be stored because the database was closed is listed and handed out', async () => {
  const shelf = await shelfWith(null);
  await saveRun(db, run);
  db.close();
  const said: string[] = [];
  const stored = await savedOrSaid(
    (event) => said.push(event.type),
    () => shelf.put(adapter('run')),
  );
  expect([stored, said]).toEqual([false, ['warning']]);
  expect((await shelf.list()).map(({ id }) => id)).toEqual(['shop']);
  expect((await shelf.hand('shop', answering)).note).toContain('Without run.json');
});

it('an adapter that names another base is taken in with a word about it, and without a loss measured there', async () => {
  const shelf = await shelfWith({ repository: 'Qwen/Qwen2.5-0.5B', commit });
  const take = (baseName: string) => {
    const { config, weights } = writePeft(qwen.adapter('lora'), { name: baseName, revision: null });
    const text = new TextEncoder().encode(config);
    return shelf.take('kept', [
      { name: 'adapter_config.json', bytes: text.buffer },
      { name: 'adapter_model.safetensors', bytes: weights.buffer },
    ]);
  };
  const other = await take('meta-llama/Llama-3.2-1B');
  expect(other.notes?.[0]).toContain('trained on meta-llama/Llama-3.2-1B, not on Qwen2.5-0.5B');
  for (const same of ['unsloth/Qwen2.5-0.5B', '/models/qwen2.5-0.5b', 'Qwen2.5-0.5B-Instruct'])
    expect((await take(same)).notes).toBeUndefined();
});

it('with nothing else to show, a closed database is an error', async () => {
  db.close();
  await expect((await shelfWith(null)).list()).rejects.toThrow();
});
