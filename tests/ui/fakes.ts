/** Remotes for the screen's tests: they answer with fixed data and let a test play the events of a run by hand. */
import type {
  AdapterSummary,
  DatasetApi,
  DatasetReport,
  ModelSummary,
  PreparedReport,
  Result,
  RunSummary,
  Scores,
  TokenView,
  TrainerApi,
} from '../../src/protocol/apis';
import type { BenchmarkRow, KernelTrial, SelfTestCheck } from '../../src/protocol/benchmark';
import type { PackedRows, TrainingData } from '../../src/protocol/data';
import type { Plan, RunEvent } from '../../src/protocol/events';
import { defaultSettings } from '../../src/protocol/settings';
import { FakeModels, qwenConfig } from './fakeModels';

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const models: ModelSummary[] = ['llama', 'qwen', 'mistral'].map((family) => ({
  id: `tiny-${family}`,
  name: `Tiny ${family[0]?.toUpperCase() ?? ''}${family.slice(1)}`,
  family,
  parameters: 1_048_576,
  bytes: 2_200_000,
  source: 'embedded',
  contextLength: 512,
  weightFormat: null,
  origin: null,
}));

export const plan: Plan = {
  backend: 'webgpu',
  device: 'Test GPU',
  steps: 60,
  rowsPerStep: 4,
  tokensPerStep: 512,
  trainableParameters: 98_304,
  frozenParameters: 1_048_576,
  memory: [
    { part: 'weights', bytes: 2_200_000 },
    { part: 'adapter', bytes: 800_000 },
    { part: 'optimizer', bytes: 790_000 },
    { part: 'activations', bytes: 5_200_000 },
    { part: 'head', bytes: 2_000_000 },
    { part: 'staging', bytes: 300_000 },
  ],
  predictedBytes: 11_290_000,
};

export const report: DatasetReport = {
  name: 'records.jsonl',
  bytes: 48_213,
  shape: 'Chat messages (OpenAI, ChatML)',
  container: 'JSON Lines',
  rows: 402,
  kept: 400,
  rejected: [
    { line: 17, reason: 'The answer is empty.', excerpt: '{"messages":[{"role":"user","content":"Tom has…' },
    {
      line: 230,
      reason: 'Not JSON: unexpected end of the line at column 31.',
      excerpt: '{"messages":[{"role":"user","co',
    },
  ],
  warnings: [],
  preview: [
    [
      'Nina has six blue cups in the kitchen.',
      'who: Nina | what: cups | colour: blue | number: 6 | where: kitchen',
    ],
    ['Tom keeps two red hats in the hall.', 'who: Tom | what: hats | colour: red | number: 2 | where: hall'],
    [
      'In the garden Ada has nine white chairs.',
      'who: Ada | what: chairs | colour: white | number: 9 | where: garden',
    ],
    [
      'Omar put four green pens on the desk.',
      'who: Omar | what: pens | colour: green | number: 4 | where: desk',
    ],
    [
      'Lea found one black <b>shoe</b> in the attic.',
      'who: Lea | what: shoe | colour: black | number: 1 | where: attic',
    ],
  ].map(([question, answer]) => [
    { role: 'user', content: question ?? '' },
    { role: 'assistant', content: answer ?? '' },
  ]),
};

export const prepared: PreparedReport = {
  split: {
    rule: '70/15/15',
    seed: 42,
    train: 280,
    validation: 60,
    test: 60,
    reason:
      '400 rows: 70 % to learn from, 15 % to watch, 15 % to score. Rows with the same question stay together.',
  },
  tooLong: 0,
  trainRows: 94,
  examplesPerRow: 2.98,
  supervised: 6440,
  longest: 61,
  median: 42,
  warnings: [],
  testIsValidation: false,
};

export const tokens: TokenView[] = [
  ['<|user|>', 'special'],
  ['\n', 'special'],
  ...'Nina| has| six| blue| cups| in| the| kitchen|.'.split('|').map((text) => [text, 'read']),
  ['<|assistant|>', 'special'],
  ['\n', 'special'],
  ...'who|:| Nina| || what|:| cups| |'.split('|').map((text) => [text === '' ? ' |' : text, 'learned']),
  ['<|end|>', 'end-mark'],
].map(([text, fate], id) => ({ text: text ?? '', id, fate: fate as TokenView['fate'] }));

const packed: PackedRows = {
  length: 128,
  rows: 0,
  ids: new Int32Array(),
  targets: new Int32Array(),
  documentStart: new Int32Array(),
  examples: 0,
  supervised: 0,
};
const { reason: _reason, ...split } = prepared.split;
export const data: TrainingData = {
  name: report.name,
  hash: '00',
  train: packed,
  validation: packed,
  test: [],
  testIsValidation: false,
  split,
};

export const adapter: AdapterSummary = {
  id: 'a1',
  name: 'Turn sentences into records · Tiny Llama',
  modelId: 'tiny-llama',
  modelName: 'Tiny Llama',
  created: Date.UTC(2026, 10, 24, 9, 0),
  bytes: 412_000,
  rank: 16,
  alpha: 32,
  targets: [...defaultSettings.targets],
  origin: 'trained',
  bestLoss: 0.118,
  runId: 'r1',
};

export const run: RunSummary = {
  id: 'r1',
  name: adapter.name,
  modelId: adapter.modelId,
  modelName: adapter.modelName,
  datasetName: 'Turn sentences into records',
  created: adapter.created,
  status: 'finished',
  step: 60,
  steps: 60,
  bestLoss: 0.118,
  adapterId: 'a1',
};

const question = 'Nina has six blue cups in the kitchen.';
const reference = 'who: Nina | what: cups | colour: blue';
export const scores: Scores = {
  metric: 'em|norm:trimmed|refs:max|v:1',
  base: { right: 1, of: 60, share: 1 / 60, low: 0.003, high: 0.089 },
  tuned: { right: 57, of: 60, share: 0.95, low: 0.863, high: 0.983 },
  fixed: 57,
  broken: 1,
  pValue: 4e-16,
  verdict: 'Better: 57 of 60 held-out answers are right, before it was 1. Chance does not explain it.',
  others: [
    {
      name: 'F1 of words',
      signature: 'f1|norm:squad|empty:v2|refs:max|v:1',
      base: 0.21,
      tuned: 0.97,
      difference: { mean: 0.76, low: 0.7, high: 0.83 },
    },
  ],
  rows: [
    {
      prompt: `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`,
      question,
      reference,
      base: 'the cups the kitchen',
      tuned: reference,
      baseRight: false,
      tunedRight: true,
    },
    {
      prompt: 'Tom keeps two red hats.',
      question: 'Tom keeps two red hats.',
      reference: 'who: Tom',
      base: 'who: Tom',
      tuned: 'who: Tim',
      baseRight: true,
      tunedRight: false,
    },
    {
      prompt: 'Ada has nine chairs.',
      question: 'Ada has nine chairs.',
      reference: 'who: Ada',
      base: 'chairs',
      tuned: 'who: Adam',
      baseRight: false,
      tunedRight: false,
    },
  ],
  seconds: 4.2,
};

export const lessons = [
  {
    id: 'records',
    title: 'Turn sentences into records',
    summary:
      'The model learns a format: it reads a sentence and answers with the same five fields every time.',
    file: 'records.jsonl',
    question,
    settings: { learningRate: 0.003, epochs: 6, sequenceLength: 128, batchExamples: 12 },
  },
  {
    id: 'shop-messages',
    title: 'Sort messages to a shop',
    summary: 'The model learns to classify: order, return, problem, question or thanks.',
    file: 'shop-messages.jsonl',
    question: 'Please send me four yellow pears.',
    settings: { learningRate: 0.003, epochs: 4, sequenceLength: 128 },
  },
];
export const get = async (path: string): Promise<Response> =>
  path.endsWith('lessons.json') ? Response.json(lessons) : new Response('{"prompt":"a","completion":"b"}\n');

const measured = { device: 'Test GPU', peers: [] };
const peer = { peer: 'TensorFlow.js', version: '4.22.0' };
export const benchmarkRows: BenchmarkRow[] = [
  {
    ...measured,
    ...{ name: 'matmul', what: 'Matrix product, forward', shape: '512 × 896 × 4864, q4' },
    ours: { ms: 100, least: 98.5, most: 104, runs: 20, gflops: 44.6 },
    limit: { what: "the adapter's best product", value: 50, unit: 'GFLOP/s', fraction: 0.892 },
    peers: [
      { ...peer, ms: 900, ratio: 9, correct: true, relL2: 3e-7 },
      { ...peer, peer: 'Another', ms: null, ratio: null, correct: false, relL2: 1.4 },
    ],
  },
  {
    ...measured,
    ...{ name: 'head', what: 'Final norm, logits and loss', shape: '96 × 896 × 151936' },
    ...{ ours: null, limit: null, reason: 'This GPU allows 128 MiB in one binding.' },
  },
];
export const kernelTrials: KernelTrial[] = [
  { product: 'forward', format: 'q4', design: 'tiles, 64 × 64, 4 × 4 each', time: 2.5, error: 1e-7 },
  { product: 'forward', format: 'q4', design: 'registers, 8 × 4', time: 4, error: 1e-7 },
  { product: 'backward', format: 'q4', design: 'tiles, 32 × 64, 4 × 4 each', time: null, error: 0.4 },
];
export const selfTestChecks: SelfTestCheck[] = [
  { part: 'operations', check: 'rmsNorm', error: 2e-7, tolerance: 1e-4, ok: true },
  { part: 'operations', check: 'attention', error: 0.3, tolerance: 1e-4, ok: false },
];

export function fakeDataset(changes: Partial<DatasetApi> = {}): DatasetApi {
  return {
    open: async () => ok(report),
    prepare: async () => ok(prepared),
    view: async () => ok(tokens),
    take: async () => ok(data),
    ...changes,
  };
}

/** A trainer whose run is played by the test: `say` sends an event, `end` lets `train` resolve. */
export class FakeTrainer extends FakeModels implements TrainerApi {
  kept: AdapterSummary[] = [];
  known: RunSummary[] = [];
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
      testIsValidation: false,
    });
  adapters: TrainerApi['adapters'] = async () => ok(this.kept);
  renameAdapter: TrainerApi['renameAdapter'] = async () => ok(null);
  exportAdapter: TrainerApi['exportAdapter'] = async () =>
    ok({
      name: 'records.zip',
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
  benchmark: TrainerApi['benchmark'] = async (_names, onRow) => {
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
    });
  };
  cancel: TrainerApi['cancel'] = async () => void this.calls.push('cancel');

  #play(call: string, onEvent: (event: RunEvent) => void): Promise<void> {
    this.calls.push(call);
    this.say = onEvent;
    return new Promise((resolve) => (this.end = resolve));
  }
}

/** A curve that falls and settles; the figures mean nothing, their shape does. */
export const steps = (upTo: number, of = 60) =>
  Array.from({ length: upTo }, (_, index) => ({
    step: index + 1,
    steps: of,
    epoch: 0,
    loss: 0.1 + 3.1 * Math.exp(-index / 9) + 0.06 * Math.sin(index * 2.3),
    learningRate: 0.003 * (1 - index / of),
    gradientNorm: 1,
    supervised: 280,
    tokens: 512,
    stepTime: 420,
  }));
export const evaluations = (upTo: number) =>
  [10, 20, 30, 40, 50, 60]
    .filter((step) => step <= upTo)
    .map((step) => ({ step, loss: 0.12 + 3 * Math.exp(-step / 9), best: true }));
