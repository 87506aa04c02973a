/**
 * All that is stored, as one schema. Records are plain data; what is large lives in a store of its own, so that a list
 * never loads weights. Knows no transactions: each subject has its file.
 */
import type { DBSchema } from 'idb';
import type { DType } from '../checkpoint/safetensors';
import type { AdapterSummary, RunHistory, RunSummary } from '../protocol/apis';
import type { ChatAssets, TrainingData } from '../protocol/data';
import type { Plan } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import type { Bytes, Steps } from '../units';

export const SCHEMA_VERSION = 1;

/** A piece of a tensor's bytes and what they must hash to. */
export interface ChunkSeal {
  bytes: Bytes;
  sha256: string;
}
export interface StoredTensor {
  name: string;
  dtype: DType;
  shape: number[];
  chunks: ChunkSeal[];
}
export interface StoredModel {
  id: string;
  name: string;
  /** Commit of the repository, where known. */
  revision: string | null;
  family: string;
  /** config.json, parsed. */
  config: unknown;
  assets: ChatAssets;
  parameters: number;
  /** Of all weights as stored. */
  bytes: Bytes;
  created: number;
  tensors: StoredTensor[];
}

export type RunCurves = Pick<RunHistory, 'steps' | 'evaluations' | 'finished'>;
export interface StoredRun extends RunSummary {
  settings: Settings;
  plan: Plan | null;
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

export interface KeptDataset {
  id: string;
  name: string;
  bytes: ArrayBuffer;
  opened: number;
}

export interface LoratorySchema extends DBSchema {
  models: { key: string; value: StoredModel };
  /** Key: model, index of the tensor, index of the chunk. */
  modelChunks: { key: [string, number, number]; value: ArrayBuffer };
  runs: { key: string; value: RunSummary };
  runDetails: { key: string; value: { id: string; settings: Settings; plan: Plan | null } };
  runCurves: { key: string; value: { id: string } & RunCurves };
  runData: { key: string; value: { id: string; data: TrainingData } };
  checkpoints: {
    key: [string, Slot];
    value: StoredCheckpoint;
    indexes: { bySequence: [string, number] };
  };
  adapters: { key: string; value: AdapterSummary };
  adapterFiles: { key: string; value: { id: string } & AdapterFiles };
  datasets: { key: string; value: KeptDataset };
}
