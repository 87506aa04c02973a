/** The dataset worker: keeps the opened file and what was made of it; the work itself is in src/dataset and src/chat. */
import { expose, transfer } from 'comlink';
import { prepareData, type PreparedData } from '../src/chat/prepare';
import { openDataset, type OpenedDataset } from '../src/dataset/open';
import { DataProblem } from '../src/dataset/problem';
import type { DatasetApi } from '../src/protocol/datasetApi';
import type { PackedRows } from '../src/protocol/data';
import { attemptData } from './attemptData';
import { spaced } from './threads/spaced';

let opened: OpenedDataset | null = null;
let prepared: PreparedData | null = null;

const api: DatasetApi = {
  open: (file) =>
    attemptData(async () => {
      opened = await openDataset(file.name, new Uint8Array(file.bytes), file.columns);
      prepared = null;
      return opened.report;
    }),
  prepare: (request, onProgress) =>
    attemptData(async () => {
      prepared = null;
      if (opened === null) throw new DataProblem('No dataset is open. Choose a file first.');
      prepared = await prepareData(opened, request, onProgress && spaced(onProgress));
      return prepared.report;
    }),
  view: (index) => attemptData(() => ready().view(index)),
  take: async () => {
    const taken = await attemptData(() => ready().take());
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

expose(api);
