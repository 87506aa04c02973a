/**
 * The trainer without a browser: `npm run headless -- run.json`, with
 * {"model": DIR, "data": FILE, "out": DIR, "settings": {…}, "score": rows}. Prints progress, the scores of base and tuned model on
 * held-out rows, and as its last line a JSON summary. Needs the `webgpu` package; `"backend": "cpu"` runs the reference twins.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { baseModel } from '../src/adapter/baseModel';
import { adapterFrom, loraTrainable } from '../src/adapter/lora';
import { specOf } from '../src/adapter/spec';
import { assetsFrom } from '../src/chat/assets';
import { openFormat } from '../src/chat/format';
import { prepareData } from '../src/chat/prepare';
import { fileInMemory } from '../src/checkpoint/fileBytes';
import { openCheckpoint } from '../src/checkpoint/openCheckpoint';
import { sourceOf } from '../src/checkpoint/source';
import { openDataset } from '../src/dataset/open';
import { greedyAnswers, type GreedyAnswer } from '../src/evaluation/greedyAnswers';
import { scoreAnswers } from '../src/evaluation/score';
import { writeGgufAdapter } from '../src/exchange/gguf';
import { PEFT_CONFIG, PEFT_WEIGHTS, writePeft } from '../src/exchange/peft';
import { startEngine } from '../src/gpu/backend';
import { dispatchCount } from '../src/gpu/dispatch';
import { restful } from '../src/gpu/rest';
import { readConfig } from '../src/model/config';
import type { Runnable } from '../src/model/forward';
import { loadWeights } from '../src/model/loadWeights';
import { parseSettings } from '../src/protocol/settings';
import { planRun } from '../src/training/plan';
import { rehearseRun } from '../src/training/rehearseRun';
import { runnable, trainRun } from '../src/training/run';

const jobSchema = v.strictObject({
  model: v.string(),
  data: v.string(),
  out: v.string(),
  settings: v.optional(v.record(v.string(), v.unknown()), {}),
  /** Held-out rows to answer; 0 leaves scoring out. */
  score: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 48),
  maxTokens: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 48),
  backend: v.optional(v.picklist(['webgpu', 'cpu']), 'webgpu'),
});

const path = process.argv[2];
if (path === undefined) throw new Error('Usage: npm run headless -- run.json');
const job = v.parse(jobSchema, JSON.parse(readFileSync(path, 'utf8')));
const settings = parseSettings(job.settings);
const engine = await startEngine({ backend: job.backend });
console.log(`${engine.backend}: ${engine.gpu?.name ?? 'reference twins on the processor'}`);

const names = readdirSync(job.model);
const texts = new Map(
  names
    .filter((name) => /\.(json|jinja|txt)$/.test(name))
    .map((name) => [name, readFileSync(join(job.model, name), 'utf8')]),
);
const shards = names
  .filter((name) => name.endsWith('.safetensors'))
  .map((name) => fileInMemory(name, new Uint8Array(readFileSync(join(job.model, name)))));
const checkpoint = await openCheckpoint(shards, texts);
const config = readConfig(checkpoint.config);
const assets = assetsFrom(checkpoint.texts, checkpoint.config);

const opened = await openDataset(job.data, new Uint8Array(readFileSync(job.data)));
const { report } = opened;
console.log(`${report.shape}: ${report.kept} of ${report.rows} rows`);
const prepared = await prepareData(opened, { assets, settings });
for (const warning of prepared.report.warnings) console.log(warning);
const data = prepared.take();
const programs = engine.gpu ? rehearseRun({ config, settings, ...data }) : null;
const weights = await loadWeights(config, sourceOf(checkpoint), settings.weightFormat);
const plan = planRun(config, settings, data.train, {
  backend: engine.backend,
  device: engine.gpu?.name ?? '',
});
console.log(`${plan.steps} steps of ${plan.rowsPerStep} rows, ${data.train.supervised} tokens learned from`);

const spec = specOf(settings, config);
const trainable = loraTrainable(config, weights, spec, { seed: settings.seed });
await programs?.ready(() => undefined);
const losses: number[] = [];
let seen = 0;
const started = performance.now();
const before = dispatchCount();
const outcome = await trainRun({
  config,
  trainable,
  settings,
  train: data.train,
  validation: data.validation,
  plan,
  from: null,
  control: { stopRequested: false, pauseRequested: false, resumed: () => Promise.resolve() },
  emit: (event) => {
    if (event.type === 'evaluated')
      console.log(`step ${event.report.step}  held-out loss ${event.report.loss.toFixed(4)}`);
    if (event.type !== 'step') return;
    const { step, steps, loss, tokens, stepTime } = event.report;
    losses.push(loss);
    seen += tokens;
    if (step % 10 === 0 || step === steps)
      console.log(
        `step ${step}/${steps}  loss ${loss.toFixed(4)}  ${Math.round((1000 * tokens) / stepTime)} tokens/s`,
      );
  },
  save: () => Promise.resolve(),
  waitFor: restful(),
  check: () => engine.check(),
});
const seconds = (performance.now() - started) / 1000;
const dispatches = dispatchCount() - before;
trainable.flat.write({ parameters: outcome.parameters });

const adapter = adapterFrom(spec, trainable.blocks, outcome.parameters);
const peft = writePeft(adapter, { name: job.model, revision: null });
mkdirSync(job.out, { recursive: true });
writeFileSync(join(job.out, PEFT_CONFIG), peft.config);
writeFileSync(join(job.out, PEFT_WEIGHTS), peft.weights);
writeFileSync(join(job.out, 'adapter-lora-f32.gguf'), writeGgufAdapter(adapter, config, 'adapter'));

const scores = await scoreRows();
console.log(
  JSON.stringify({
    model: job.model,
    backend: engine.backend,
    steps: outcome.lastStep,
    lossFirst: losses[0] ?? null,
    lossLast: losses.at(-1) ?? null,
    evalLossBest: outcome.watch.bestLoss,
    exactMatchBase: scores?.base.share ?? null,
    exactMatchTuned: scores?.tuned.share ?? null,
    rows: scores?.rows.length ?? 0,
    seconds,
    tokensPerSecond: seen / seconds,
    dispatchesPerStep: losses.length > 0 ? dispatches / losses.length : null,
    peakBytes: outcome.peakBytes,
    predictedBytes: plan.predictedBytes,
    adapter: job.out,
  }),
);

async function scoreRows() {
  const rows = data.test.slice(0, job.score);
  if (rows.length === 0) return null;
  const format = openFormat(assets);
  const from = performance.now();
  const answer = (model: Runnable) => greedyAnswers(model, format, rows, job.maxTokens);
  const base = await answer(baseModel(config, weights));
  const tuned = await answer(runnable(config, trainable));
  const cutOf = (answers: readonly GreedyAnswer[]) => answers.filter(({ cut }) => cut).length;
  const result = scoreAnswers(
    rows.map((row, i) => ({
      prompt: row.promptText,
      question: row.question,
      reference: row.reference,
      base: base[i]?.text ?? '',
      tuned: tuned[i]?.text ?? '',
    })),
    {
      seconds: (performance.now() - from) / 1000,
      left: 0,
      limit: job.maxTokens,
      cut: { base: cutOf(base), tuned: cutOf(tuned) },
    },
  );
  for (const row of result.rows.slice(0, 5)) console.log(JSON.stringify(row));
  console.log(result.verdict);
  return result;
}
