/** Adapters as they are listed, taken in and written out. */
import type { Bytes } from '../units';
import type { Manner } from './data';

export interface NamedFile {
  /** Path or name, e.g. "peft/adapter_config.json". */
  name: string;
  bytes: ArrayBuffer;
}

export interface AdapterSummary {
  id: string;
  name: string;
  modelId: string;
  modelName: string;
  created: number;
  bytes: Bytes;
  rank: number;
  alpha: number;
  targets: string[];
  origin: 'trained' | 'imported';
  bestLoss: number | null;
  runId: string | null;
  /** What was noticed when it was taken in from files, as sentences; absent where nothing was. */
  notes?: string[];
  /** How it was asked in training; absent where that is not known. */
  manner?: Manner;
}

export interface ReceiptLine {
  file: string;
  bytes: Bytes;
  sha256: string;
  /** Largest absolute logit difference between the live model and the re-read file; null where there is nothing to compare. */
  difference: number | null;
  tolerance: number | null;
}

export interface AdapterExport {
  name: string;
  zip: Blob;
  receipt: ReceiptLine[];
  /** What the file had to be made without, as a sentence; else null. */
  note: string | null;
}
