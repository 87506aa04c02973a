/** Remotes for the screen's tests: they answer with fixed data and let a test play the events of a run by hand. */
import type { AdapterSummary } from '../../src/protocol/adapters';
import type { StoppableDataset } from '../../src/protocol/datasetApi';
import type { Result } from '../../src/protocol/result';
import type { RunSummary } from '../../src/protocol/runs';
import type { TrainerApi } from '../../src/protocol/trainerApi';
import type { Verdict } from '../../src/protocol/detours';
import type { RunEvent } from '../../src/protocol/events';
import { defaultSettings } from '../../src/protocol/settings';
import { FakeModels, qwenConfig } from './fakeModels';
import { benchmarkRows, kernelTrials, selfTestChecks, verdict } from './samples/benchmark';
import { data, prepared, report, tokens } from './samples/data';
import { evaluations, models, plan, run, steps } from './samples/run';
import { reference, scores } from './samples/scores';

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export function fakeDataset(changes: Partial<StoppableDataset> = {}): StoppableDataset {
  return {
    open: async () => ok(report),
    prepare: async () => ok(prepared),
    view: async () => ok(tokens),
    take: async () => ok(data),
    stop: () => undefined,
    ...changes,
  };
}

/** A trainer whose run is played by the test: `say` sends an event, `end` lets `train` resolve. */
export class FakeTrainer extends FakeModels implements TrainerApi {
  kept: AdapterSummary[] = [];
  known: RunSummary[] = [];
  /** Of an earlier visit. */
  tested: Verdict | null = null;
  say: (event: RunEvent) => void = () => undefined;
  end: () => void = () => undefined;

  ping: TrainerApi['ping'] = async () => undefined;
  capabilities: TrainerApi['capabilities'] = async () =>
    ok({
      backend: 'webgpu',
      device: 'Test GPU',
      software: false,
      sharedMemory: true,
      features: [],
      maxBindingBytes: 2 ** 30,
      maxBufferBytes: 2 ** 30,
      note: null,
    });
  models: TrainerApi['models'] = async () => ok(models);
  chatAssets: TrainerApi['chatAssets'] = async () =>
    ok({ tokenizer: {}, tokenizerConfig: {}, chatTemplate: '', stopIds: [], vocabSize: 1024 });
  modelConfig: TrainerApi['modelConfig'] = async () => ok(qwenConfig);
  plan: TrainerApi['plan'] = async () => ok(plan);
  train: TrainerApi['train'] = (_request, onEvent) => this.#play('train', onEvent);
  continueRun: TrainerApi['continueRun'] = (_id, onEvent) => this.#play('continueRun', onEvent);
  pause: TrainerApi['pause'] = async () => {
    this.calls.push('pause');
    this.say({ type: 'paused', step: 1 });
  };
  resume: TrainerApi['resume'] = async () => {
    this.calls.push('resume');
    this.say({ type: 'resumed', step: 1 });
  };
  stop: TrainerApi['stop'] = async () => void this.calls.push('stop');
  runs: TrainerApi['runs'] = async () => ok(this.known);
  history: TrainerApi['history'] = async (id) => {
    const summary = this.known.find((one) => one.id === id) ?? run;
    return ok({
      summary,
      settings: defaultSettings,
      plan,
      steps: steps(summary.step),
      evaluations: evaluations(summary.step),
      finished: null,
    });
  };
  testRows: TrainerApi['testRows'] = async () =>
    ok({
      rows: scores.rows.map((row) => ({
        promptIds: new Int32Array(),
        promptText: row.prompt,
        question: row.question,
        reference: row.reference,
      })),
      repeated: 2,
      testIsValidation: false,
    });
  adapters: TrainerApi['adapters'] = async () => ok(this.kept);
  renameAdapter: TrainerApi['renameAdapter'] = async () => ok(null);
  exportAdapter: TrainerApi['exportAdapter'] = async () =>
    ok({
      name: 'records.zip',
      note: null,
      zip: new Blob(['zip']),
      receipt: [
        {
          file: 'peft/adapter_model.safetensors',
          bytes: 402_000,
          sha256: 'ab'.repeat(32),
          difference: 0,
          tolerance: 1e-6,
        },
        {
          file: 'gguf/records-lora-f16.gguf',
          bytes: 201_000,
          sha256: 'cd'.repeat(32),
          difference: 3.1e-4,
          tolerance: 2e-3,
        },
        { file: 'run.json', bytes: 9_100, sha256: 'ef'.repeat(32), difference: null, tolerance: null },
      ],
    });
  importAdapter: TrainerApi['importAdapter'] = async () => ({
    ok: false,
    failure: {
      kind: 'wrong-base',
      message: 'This adapter was made for another model. Choose its base model first.',
      expected: 'hidden size 128',
      found: 'hidden size 4,096',
    },
  });
  answer: TrainerApi['answer'] = async (request, onText) => {
    const text = request.adapterId === null ? 'the cups the kitchen' : reference;
    onText(text);
    return ok({ text, tokens: 12, elapsed: 240, stopped: true });
  };
  score: TrainerApi['score'] = async (_request, onProgress) => {
    onProgress(60, 60);
    return ok(scores);
  };
  benchmark: TrainerApi['benchmark'] = async (_names, onRow, onNow) => {
    onNow('One decoder layer, T 64');
    benchmarkRows.forEach(onRow);
    return ok(benchmarkRows);
  };
  tune: TrainerApi['tune'] = async (onTrial) => {
    kernelTrials.forEach(onTrial);
    return ok({ device: 'Test GPU', trials: kernelTrials });
  };
  selfTest: TrainerApi['selfTest'] = async (onCheck) => {
    selfTestChecks.forEach(onCheck);
    const broken = ['attention'];
    return ok({
      device: 'Test GPU',
      features: ['subgroups'],
      checks: selfTestChecks,
      kernels: ['rope'],
      broken,
      verdict,
    });
  };
  verdict: TrainerApi['verdict'] = async () => ok(this.tested);
  cancel: TrainerApi['cancel'] = async () => void this.calls.push('cancel');

  #play(call: string, onEvent: (event: RunEvent) => void): Promise<void> {
    this.calls.push(call);
    this.say = onEvent;
    return new Promise((resolve) => (this.end = resolve));
  }
}
