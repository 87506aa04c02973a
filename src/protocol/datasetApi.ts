/** The dataset worker: a file becomes rows, rows become packed tokens. */
import type { Bytes, Tokens } from '../units';
import type { ChatAssets, Message, TrainingData } from './data';
import type { Result } from './result';
import type { Settings } from './settings';

/** Columns of a table that a person chose, where their names do not tell. */
export interface ChosenColumns {
  question: string;
  answer: string;
}

/** A file as it is opened, and kept for the next visit. */
export interface DatasetFile<Content = ArrayBuffer> {
  name: string;
  bytes: Content;
  columns?: ChosenColumns | undefined;
}

export interface RejectedRow {
  /** 1-based line or row of the file. */
  line: number;
  reason: string;
  /** The start of the row as text, at most 200 characters. */
  excerpt: string;
}

export interface DatasetReport {
  name: string;
  bytes: Bytes;
  /** For people, e.g. "Chat messages (OpenAI, ChatML)". */
  shape: string;
  /** For people, e.g. "JSON Lines". */
  container: string;
  rows: number;
  kept: number;
  rejected: RejectedRow[];
  warnings: string[];
  /** The first five kept rows. */
  preview: Message[][];
  /** The rows are plain text: nothing is asked, so nothing is answered. */
  plain: boolean;
}

export type TokenFate = 'learned' | 'read' | 'end-mark' | 'special' | 'cut';

export interface TokenView {
  text: string;
  id: number;
  fate: TokenFate;
}

export interface PrepareRequest {
  assets: ChatAssets;
  settings: Settings;
}

export interface PreparedReport {
  split: TrainingData['split'] & { reason: string };
  /** Rows longer than the sequence length, left out. */
  tooLong: number;
  trainRows: number;
  examplesPerRow: number;
  supervised: Tokens;
  longest: Tokens;
  median: Tokens;
  warnings: string[];
  testIsValidation: boolean;
}

/** How far `prepare` is: rows become tokens, each is drawn a part, and all are packed, in one piece of which no share is known. */
export interface PrepareProgress {
  stage: 'tokens' | 'split' | 'pack';
  done: number;
  rows: number;
  /** The line of the file that is at work; null where it is not one row. */
  line: number | null;
}

export interface DatasetApi {
  /** Reads, recognises and checks a file; keeps its rows in the worker, or those from before where it cannot be read. */
  open(file: DatasetFile): Promise<Result<DatasetReport>>;
  /** Templates, masks, tokenises, splits and packs what was opened. `onProgress` hears how far it is. */
  prepare(
    request: PrepareRequest,
    onProgress?: (progress: PrepareProgress) => void,
  ): Promise<Result<PreparedReport>>;
  /** How kept row `index` will be seen: each token and whether it is learned. Needs `prepare` first. */
  view(index: number): Promise<Result<TokenView[]>>;
  /** The packed rows, transferred. Each call packs afresh. */
  take(): Promise<Result<TrainingData>>;
}

/** The dataset worker as the page has it: a new order to open or prepare ends the one before it, whatever that was doing. */
export interface StoppableDataset extends DatasetApi {
  /** Ends what it is doing, and with it the packing; the file that was open before stays open. */
  stop(): void;
}
