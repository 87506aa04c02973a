/**
 * The trainer worker, which owns the device. It declares `const api: TrainerApi = …; expose(api)`, the screen wraps the same type, and tests
 * hand in an object of it. Every call that can fail for a reason a person can mend resolves to a `Result`.
 */
import type { AdapterExport, AdapterSummary, NamedFile } from './adapters';
import type { Answer, AnswerRequest } from './answers';
import type {
  BenchmarkName,
  BenchmarkRow,
  KernelReport,
  KernelTrial,
  SelfTestCheck,
  SelfTestReport,
} from './benchmark';
import type { Capabilities } from './capabilities';
import type { ChatAssets, PackedRows, TrainingData } from './data';
import type { Verdict } from './detours';
import type { Plan, RunEvent } from './events';
import type { ModelSummary, ModelsApi } from './models';
import type { Result } from './result';
import type { RunHistory, RunSummary } from './runs';
import type { ScoreRequest, Scores, TestRows } from './scores';
import type { Settings } from './settings';

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
