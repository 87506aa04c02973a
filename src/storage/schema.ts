/**
 * All that is stored, as one schema. Records are plain data; what is large lives in a store of its own, so that a list
 * never loads weights. Knows no transactions: each subject has its file.
 */
import type { DBSchema } from 'idb';
import type { TunedTable } from '../ops/product/choose';
import type { DType } from '../checkpoint/safetensors';
import type { AdapterSummary } from '../protocol/adapters';
import type { RunHistory, RunSummary } from '../protocol/runs';
import type { ChatAssets, TrainingData } from '../protocol/data';
import type { Verdict } from '../protocol/detours';
import type { ChosenColumns } from '../protocol/datasetApi';
import type { Plan } from '../protocol/events';
import type { HubFile, Losses, StoredKind } from '../protocol/models';
import type { Settings } from '../protocol/settings';
import type { WeightFormat } from '../protocol/weightFormats';
import type { Bytes, Steps } from '../units';

/** 2: models are kept as planes in parts; models of version 1 wait in `rawModels` until they are opened. 3: the file opened last. */
export const SCHEMA_VERSION = 3;
/** How planes lie in a part; a download of another layout begins anew. */
export const LAYOUT = 1;

export interface KeptTensor {
  name: string;
  shape: number[];
  format: WeightFormat;
}

/** Where a model came from: a commit never changes. */
export interface Origin {
  hub: string;
  repository: string;
  commit: string;
}

/** What is known of a model from the first byte of its download. */
export interface ModelHead {
  id: string;
  name: string;
  /** Null for a model from files or from training. */
  origin: Origin | null;
  family: string;
  /** config.json, parsed. */
  config: unknown;
  assets: ChatAssets;
  parameters: number;
  /** The form that matrices were to have; each tensor says its own. */
  weightFormat: WeightFormat;
  layout: number;
  created: number;
  /** The weight files it was made of. */
  files: HubFile[];
  tensors: KeptTensor[];
}
export interface StoredModel extends ModelHead {
  parts: number;
  /** Of all planes. */
  bytes: Bytes;
  /** What its weights lost in the conversion; absent where it was not counted: trained here, or kept by an older version. */
  losses?: Losses;
}

/** Rows of a tensor within a part; planes follow each other there, in the order of the pieces. */
export interface StoredPiece {
  /** Index in `tensors`. */
  tensor: number;
  row: number;
  rows: number;
}
/** A stretch of a model's planes, at most 16 MiB, and what it must hash to. */
export interface StoredPart {
  modelId: string;
  index: number;
  bytes: Bytes;
  sha256: string;
  pieces: StoredPiece[];
  /** From here the source goes on: index of the file, and the byte in it. */
  file: number;
  end: Bytes;
  /** State of the running hash of that file at `end`. */
  hash: Uint8Array<ArrayBuffer>;
  /** Of its weights; absent in parts of an older version. */
  losses?: Losses;
}

/** Version 1: a tensor as it came, in chunks. */
export interface RawTensor {
  name: string;
  dtype: DType;
  shape: number[];
  chunks: { bytes: Bytes; sha256: string }[];
}
export interface RawModel {
  id: string;
  name: string;
  family: string;
  config: unknown;
  assets: ChatAssets;
  parameters: number;
  bytes: Bytes;
  created: number;
  tensors: RawTensor[];
}

/** An item that was deleted and can still be brought back. */
export interface Removal {
  kind: StoredKind;
  id: string;
  goneAt: number;
}

export type RunCurves = Pick<RunHistory, 'steps' | 'evaluations' | 'finished'>;
export interface StoredRun extends RunSummary {
  settings: Settings;
  plan: Plan | null;
  /** Of the base it was begun on; absent in runs of an older version. */
  baseHash?: string;
  data: TrainingData;
  history: RunCurves;
}

export type Slot = 0 | 1;
export interface StoredCheckpoint {
  runId: string;
  slot: Slot;
  /** Grows with every save of the run; the larger one is newer. */
  sequence: number;
  step: Steps;
  bytes: ArrayBuffer;
  /** JSON of all that is not in `bytes`. */
  meta: string;
  /** Over step, meta and bytes. */
  sha256: string;
}

export interface AdapterFiles {
  peft: { config: string; weights: Uint8Array<ArrayBuffer> };
  /** run.json as text; null for an adapter that came without one. */
  runRecord: string | null;
}

/** A file of one's own, as it is. */
export interface StoredDataset {
  id: string;
  name: string;
  bytes: Blob | ArrayBuffer;
  /** What a person said of a table's columns; absent where their names tell. */
  columns?: ChosenColumns;
  size: Bytes;
  created: number;
}

export interface KeptTable {
  /** See workers/device/tuning.ts: device, browser and version of the designs. */
  device: string;
  table: TunedTable;
  made: number;
}
export interface KeptVerdict {
  /** See workers/device/verdicts.ts: device and browser. */
  device: string;
  verdict: Verdict;
  made: number;
}
export type KeptMeasurement = KeptTable | KeptVerdict;

export interface LoratorySchema extends DBSchema {
  models: { key: string; value: StoredModel };
  /** Downloads under way or paused. */
  downloads: { key: string; value: ModelHead };
  modelParts: { key: [string, number]; value: StoredPart };
  /** Key: model, part. Of a model of version 1: model, tensor, chunk. */
  modelChunks: { key: [string, number] | [string, number, number]; value: Blob | ArrayBuffer };
  rawModels: { key: string; value: RawModel };
  removals: { key: [StoredKind, string]; value: Removal };
  runs: { key: string; value: RunSummary };
  runDetails: { key: string; value: { id: string } & Pick<StoredRun, 'settings' | 'plan' | 'baseHash'> };
  runCurves: { key: string; value: { id: string } & RunCurves };
  runData: { key: string; value: { id: string; data: TrainingData } };
  checkpoints: {
    key: [string, Slot];
    value: StoredCheckpoint;
    indexes: { bySequence: [string, number] };
  };
  adapters: { key: string; value: AdapterSummary };
  adapterFiles: { key: string; value: { id: string } & AdapterFiles };
  measurements: { key: string; value: KeptMeasurement };
  files: { key: string; value: StoredDataset };
}
