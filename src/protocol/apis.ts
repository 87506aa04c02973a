/**
 * The two worker APIs. Each worker declares `const api: TrainerApi = …; expose(api)`, the screen wraps the same type, and
 * tests hand in an object of it. Every call that can fail for a reason a person can mend resolves to a `Result`.
 */
import type { Bytes, Milliseconds, Tokens } from '../units';
import type {
  BenchmarkName,
  BenchmarkRow,
  KernelReport,
  KernelTrial,
  SelfTestCheck,
  SelfTestReport,
} from './benchmark';
import type { ChatAssets, EvalRow, Manner, Message, PackedRows, TrainingData } from './data';
import type { Verdict } from './detours';
import type { Failure, Plan, RunEvent, FinishReason, Evaluated, StepReport } from './events';
import type { Losses, ModelsApi } from './models';
import type { Settings } from './settings';
import type { WeightFormat } from './weightFormats';

export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure };

// ───────────── dataset worker ─────────────

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

/** How far `prepare` is: rows become tokens, then each is drawn a part. */
export interface PrepareProgress {
  stage: 'tokens' | 'split';
  done: number;
  rows: number;
  /** The line of the file that is at work; null where it is not one row. */
  line: number | null;
}

export interface DatasetApi {
  /** Reads, recognises and checks a file; keeps its rows in the worker, or those from before where it cannot be read. */
  open(file: { name: string; bytes: ArrayBuffer }): Promise<Result<DatasetReport>>;
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

// ───────────── trainer worker ─────────────

export interface Capabilities {
  backend: 'webgpu' | 'wasm' | 'cpu';
  /** The adapter's name, e.g. "Apple M2" or "SwiftShader (software)". */
  device: string;
  software: boolean;
  /** Whether the GPU uses the machine's memory instead of its own; null where that cannot be told. */
  sharedMemory: boolean | null;
  features: string[];
  maxBindingBytes: Bytes;
  maxBufferBytes: Bytes;
  /** One sentence when training will be slow or is limited, else null. */
  note: string | null;
}

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

export interface NamedFile {
  /** Path or name, e.g. "peft/adapter_config.json". */
  name: string;
  bytes: ArrayBuffer;
}

export interface RunSummary {
  id: string;
  name: string;
  modelId: string;
  modelName: string;
  datasetName: string;
  created: number;
  status: 'running' | 'unfinished' | 'finished' | 'failed';
  step: number;
  steps: number;
  bestLoss: number | null;
  adapterId: string | null;
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

export interface SamplingOptions {
  /** 0 is greedy. */
  temperature: number;
  topP: number;
  seed: number;
  maxTokens: Tokens;
}

export interface AnswerRequest {
  /** How the question is put; absent: in the chat template. */
  manner?: Manner;
  modelId: string;
  /** null: the base model. */
  adapterId: string | null;
  messages: Message[];
  sampling: SamplingOptions;
}
export interface Answer {
  text: string;
  tokens: Tokens;
  elapsed: Milliseconds;
  stopped: boolean;
}

export interface ScoreRequest {
  modelId: string;
  adapterId: string;
  rows: EvalRow[];
}
/** Held-out rows with different prompts; `repeated`: how many more ask the same again. */
export interface TestRows {
  rows: EvalRow[];
  repeated: number;
  testIsValidation: boolean;
}
export interface ScoredRow {
  /** All that the model was given. */
  prompt: string;
  /** The part of it that a person wrote last. */
  question: string;
  reference: string;
  base: string;
  tuned: string;
  baseRight: boolean;
  tunedRight: boolean;
}
export interface Proportion {
  right: number;
  of: number;
  share: number;
  /** Wilson 95 % interval. */
  low: number;
  high: number;
}
/** A mean over rows, 0 to 1, before and after, with the 95 % interval of the difference. */
export interface SecondaryScore {
  name: string;
  signature: string;
  base: number;
  tuned: number;
  difference: { mean: number; low: number; high: number };
}
export interface Scores {
  metric: string;
  base: Proportion;
  tuned: Proportion;
  /** McNemar's exact test on the discordant pairs. */
  fixed: number;
  broken: number;
  pValue: number;
  verdict: string;
  /** Figures beside the headline; they decide nothing. */
  others: SecondaryScore[];
  rows: ScoredRow[];
  seconds: number;
  /** Rows that were not asked, since their answer is too long or does not fit behind its prompt. */
  left: number;
  /** New tokens at most, in the longest answers; and how many answers of each model ended there. */
  limit: Tokens;
  cut: { base: number; tuned: number };
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

export interface RunHistory {
  summary: RunSummary;
  settings: Settings;
  plan: Plan | null;
  steps: StepReport[];
  evaluations: Evaluated[];
  finished: FinishReason | null;
}

export interface TrainerApi extends ModelsApi {
  /** Answers at once while the worker is alive. */
  ping(): Promise<void>;
  capabilities(): Promise<Result<Capabilities>>;
  models(): Promise<Result<ModelSummary[]>>;
  chatAssets(modelId: string): Promise<Result<ChatAssets>>;
  /** config.json of a model that is here, parsed. */
  modelConfig(modelId: string): Promise<Result<unknown>>;
  /** Predicts steps and bytes without touching the GPU's memory. */
  plan(request: {
    modelId: string;
    settings: Settings;
    train: Pick<PackedRows, 'rows' | 'examples' | 'length'>;
  }): Promise<Result<Plan>>;
  /** Trains to the end. Events carry everything, the failure too; resolves when the run is over. */
  train(
    request: { modelId: string; name: string; settings: Settings; data: TrainingData },
    onEvent: (event: RunEvent) => void,
  ): Promise<void>;
  /** Goes on with an unfinished run from its last checkpoint. */
  continueRun(runId: string, onEvent: (event: RunEvent) => void): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the run at the next step and keeps the best adapter. May be called twice. */
  stop(): Promise<void>;
  runs(): Promise<Result<RunSummary[]>>;
  history(runId: string): Promise<Result<RunHistory>>;
  /** Held-out rows of a run, for scoring. */
  testRows(runId: string): Promise<Result<TestRows>>;
  adapters(): Promise<Result<AdapterSummary[]>>;
  renameAdapter(id: string, name: string): Promise<Result<null>>;
  exportAdapter(id: string): Promise<Result<AdapterExport>>;
  /** A bundle .zip, or the two files of a PEFT folder. */
  importAdapter(modelId: string, files: NamedFile[]): Promise<Result<AdapterSummary>>;
  answer(request: AnswerRequest, onText: (text: string) => void): Promise<Result<Answer>>;
  score(request: ScoreRequest, onProgress: (done: number, of: number) => void): Promise<Result<Scores>>;
  /** Measures this machine; each row is handed over as it is made, and what is being measured is said. */
  benchmark(
    names: BenchmarkName[],
    onRow: (row: BenchmarkRow) => void,
    onNow: (what: string) => void,
  ): Promise<Result<BenchmarkRow[]>>;
  /** Tries every kernel of a product in every weight format, and uses and keeps the fastest. */
  tune(onTrial: (trial: KernelTrial) => void): Promise<Result<KernelReport>>;
  /** Of the last self-test on this device in this browser; null where none was run. */
  verdict(): Promise<Result<Verdict | null>>;
  /** Compares every operation and a tiny model with what they should give. */
  selfTest(onCheck: (check: SelfTestCheck) => void): Promise<Result<SelfTestReport>>;
  /** Ends a running answer, scoring, benchmark or self-test. */
  cancel(): Promise<void>;
}
