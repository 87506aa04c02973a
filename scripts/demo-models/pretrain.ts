/**
 * Pre-trains one base model with the project's own full-parameter training and writes its model.safetensors (f16).
 * `node scripts/run.mjs scripts/demo-models/pretrain.ts llama|qwen|mistral [steps] [start]` after make.ts. With `start`, the id of
 * a model that is ready, training begins at its weights instead of random ones: the three are of one size, so that what one has
 * learned of the words serves the others.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fullTrainable } from '../../src/adapter/full';
import { slotsOf } from '../../src/adapter/trainable';
import { randomFrom } from '../../src/random';
import { assetsFrom } from '../../src/chat/assets';
import { openTemplate } from '../../src/chat/template';
import { ChatTokenizer } from '../../src/chat/tokenizer';
import type { MaskedRow } from '../../src/chat/mask';
import { pack } from '../../src/chat/pack';
import { writeSafetensors } from '../../src/checkpoint/safetensors';
import { fileInMemory } from '../../src/checkpoint/fileBytes';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint';
import { sourceOf, sourceOfValues, type WeightSource } from '../../src/checkpoint/source';
import { startEngine } from '../../src/gpu/backend';
import { restful } from '../../src/gpu/rest';
import { readConfig, type ModelConfig } from '../../src/model/config';
import { weightShapes } from '../../src/model/shapes';
import { parseSettings } from '../../src/protocol/settings';
import { planRun } from '../../src/training/plan';
import { trainRun } from '../../src/training/run';
import { documents } from './corpus';
import { END_OF_TEXT } from './tokenizerFiles';

const [id = 'llama', stepText = '600', from = null] = process.argv.slice(2);
const steps = Number(stepText);
const LENGTH = 256;
const ROWS_PER_STEP = 4;
const HELD_OUT_ROWS = 16;

const folder = join('public/demo/models', id);
const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const rawConfig: unknown = JSON.parse(text('config.json'));
const config = readConfig(rawConfig);
const names = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'];
const assets = assetsFrom(new Map(names.map((name) => [name, text(name)])), rawConfig);

const engine = await startEngine();
console.log(`${engine.backend}, ${engine.gpu?.name ?? 'processor'}`);
const rows = tokenised(steps * ROWS_PER_STEP + HELD_OUT_ROWS);
const packed = pack(rows, LENGTH);
const cut = (from: number, to: number) => {
  const part = (values: Int32Array) => values.slice(from * LENGTH, to * LENGTH);
  const targets = part(packed.targets);
  const supervised = targets.filter((target) => target >= 0).length;
  const count = to - from;
  return {
    length: LENGTH,
    rows: count,
    ids: part(packed.ids),
    targets,
    documentStart: part(packed.documentStart),
    examples: count,
    supervised,
  };
};
const validation = cut(0, HELD_OUT_ROWS);
const train = cut(HELD_OUT_ROWS, packed.rows);
console.log(`${train.rows} rows of ${LENGTH}, ${train.supervised} tokens`);

const settings = parseSettings({
  method: 'full',
  epochs: 1,
  maxSteps: steps,
  batchExamples: ROWS_PER_STEP,
  sequenceLength: LENGTH,
  learningRate: from === null ? 3e-3 : 2e-3,
  warmupSteps: 30,
  weightDecay: 0.01,
  beta2: 0.98,
  evaluateEvery: 100,
  patience: 0,
  weightFormat: 'f32',
  keptLayers: 1000,
  seed: 7,
});
const trainable = await fullTrainable(config, await startWeights(config, 11));
const plan = planRun(config, settings, train, { backend: engine.backend, device: engine.gpu?.name ?? '' });
const started = performance.now();
const outcome = await trainRun({
  config,
  trainable,
  settings,
  train,
  validation,
  plan,
  from: null,
  control: { stopRequested: false, pauseRequested: false, resumed: async () => undefined },
  emit: (event) => {
    if (event.type === 'step' && event.report.step % 10 === 0) {
      const { step, loss, stepTime, tokens } = event.report;
      const rate = Math.round((1000 * tokens) / stepTime);
      console.log(`step ${step}/${steps}  loss ${loss.toFixed(3)}  ${rate} tokens/s`);
    }
    if (event.type === 'evaluated') console.log(`held-out loss ${event.report.loss.toFixed(4)}`);
  },
  save: async () => undefined,
  waitFor: restful(),
  check: () => engine.check(),
});
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${outcome.reason} after ${seconds} s; held-out loss ${outcome.watch.bestLoss?.toFixed(4)}`);

const tensors = slotsOf(trainable.blocks).map(({ name, shape, offset, count }) => ({
  name,
  dtype: 'F16' as const,
  shape,
  values: outcome.parameters.slice(offset, offset + count),
}));
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'model.safetensors'), writeSafetensors(tensors, { format: 'pt' }));

/** Documents of the corpus as ids until they fill `rowCount` rows; every token but the first is learned. */
function tokenised(rowCount: number): MaskedRow[] {
  const tokenizer = new ChatTokenizer(assets);
  const template = openTemplate(assets, tokenizer);
  if (!template) throw new Error('The demo models have a chat template; none was found.');
  const list: MaskedRow[] = [];
  let tokens = 0;
  for (const document of documents()) {
    const ids =
      document.kind === 'story'
        ? [...tokenizer.encodeText(document.text), END_OF_TEXT]
        : tokenizer.encodeTemplate(template.render(document.messages, { addGenerationPrompt: false }));
    if (ids.length > LENGTH) continue;
    list.push({
      ids: Int32Array.from(ids),
      learn: Uint8Array.from(ids, (_, index) => (index === 0 ? 0 : 1)),
    });
    tokens += ids.length;
    if (tokens >= rowCount * LENGTH) break;
  }
  return list;
}

/** Fresh weights, with those of the model `from` put in where names and shapes agree; an untied head starts as its embedding. */
async function startWeights(model: ModelConfig, seed: number): Promise<WeightSource> {
  const fresh = freshWeights(model, seed);
  if (from === null) return fresh;
  const folder = join('public/demo/models', from);
  const file = fileInMemory(
    'model.safetensors',
    new Uint8Array(readFileSync(join(folder, 'model.safetensors'))),
  );
  const texts = new Map([['config.json', readFileSync(join(folder, 'config.json'), 'utf8')]]);
  const known = sourceOf(await openCheckpoint([file], texts));
  const names = new Set(known.names());
  return sourceOfValues(weightShapes(model), (name) => {
    const source = name === 'lm_head.weight' && !names.has(name) ? 'model.embed_tokens.weight' : name;
    return names.has(source) ? known.read(source) : fresh.read(name);
  });
}

/** Normal with a spread of 0.02, narrower where a layer writes into the residual stream; norms start at one. */
function freshWeights(model: ModelConfig, seed: number): WeightSource {
  const shapes = weightShapes(model);
  const random = randomFrom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return sourceOfValues(shapes, async (name) => {
    const shape = shapes.get(name) ?? [];
    const values = new Float32Array(shape.reduce((product, side) => product * side, 1));
    if (shape.length === 1) return values.fill(1);
    const spread = /o_proj|down_proj/.test(name) ? 0.02 / Math.sqrt(2 * model.layers) : 0.02;
    return values.map(() => normal() * spread);
  });
}
