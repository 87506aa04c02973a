/** The dataset worker: keeps the opened file and what was made of it; the work itself is in src/dataset and src/chat. */
import { expose, transfer } from 'comlink';
import { prepareData, type PreparedData } from '../src/chat/prepare';
import { openDataset, type OpenedDataset } from '../src/dataset/open';
import { DataProblem } from '../src/dataset/problem';
import type { DatasetApi, Result } from '../src/protocol/apis';
import type { PackedRows } from '../src/protocol/data';

let opened: OpenedDataset | null = null;
let prepared: PreparedData | null = null;

const api: DatasetApi = {
  open: (file) =>
    attempt(async () => {
      opened = null;
      prepared = null;
      opened = await openDataset(file.name, new Uint8Array(file.bytes));
      return opened.report;
    }),
  prepare: (request) =>
    attempt(async () => {
      prepared = null;
      if (opened === null) throw new DataProblem('No dataset is open. Choose a file first.');
      prepared = await prepareData(opened, request);
      return prepared.report;
    }),
  view: (index) => attempt(() => ready().view(index)),
  take: async () => {
    const taken = await attempt(() => ready().take());
    if (!taken.ok) return taken;
    const { train, validation, test } = taken.value;
    return transfer(taken, [
      ...buffersOf(train),
      ...buffersOf(validation),
      ...test.map((row) => row.promptIds.buffer),
    ]);
  },
};

function ready(): PreparedData {
  if (prepared === null)
    throw new DataProblem('The dataset has not been prepared for a model yet. Choose a model first.');
  return prepared;
}

function buffersOf(rows: PackedRows): ArrayBufferLike[] {
  return [rows.ids.buffer, rows.targets.buffer, rows.documentStart.buffer];
}

/** A failure crosses as data: what a person can mend as bad input, anything else as our own fault. */
async function attempt<T>(work: () => T | Promise<T>): Promise<Result<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, failure: { kind: error instanceof DataProblem ? 'bad-input' : 'internal', message } };
  }
}

expose(api);
