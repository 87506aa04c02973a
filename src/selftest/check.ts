/**
 * Runs our engine against one oracle: logits, losses, every LoRA gradient, ten AdamW steps, greedy generation.
 * Each check is measured and returned; whether it is within tolerance is part of it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { baseModel } from '../adapter/baseModel';
import { loraTrainable } from '../adapter/lora';
import { slotsOf, type Trainable } from '../adapter/trainable';
import { fileInMemory } from '../checkpoint/fileBytes';
import { openCheckpoint } from '../checkpoint/openCheckpoint';
import { sourceOf } from '../checkpoint/source';
import { readPeft } from '../exchange/peft';
import { readConfig, type ModelConfig } from '../model/config';
import { hiddenStates, logitsOf, type Runnable } from '../model/forward';
import { generate } from '../model/generate';
import { inverseFrequencies, rotaryTables } from '../model/rotary';
import { loadWeights } from '../model/loadWeights';
import { disposeWeights } from '../model/weights';
import { adamw, gradientNorm } from '../ops/flat';
import type { WeightFormat } from '../protocol/weightFormats';
import type { PackedRows } from '../protocol/data';
import { disposeBatch, makeBatch, supervisedIn } from '../training/batch';
import { learningRateAt } from '../training/schedule';
import { forwardBackward } from '../training/step';
import { relativeL2 } from './distance';
import { inOrder, packOracle, realRows, sliceStep } from './oracleRows';
import { tensorsOf, type OracleTensor } from './tensors';

export interface Check {
  folder: string;
  check: string;
  error: number;
  tolerance: number;
  ok: boolean;
}

export interface Tolerances {
  forward: number;
  gradient: number;
  curve: number;
}

/** f32 1e-5 forward, 1e-4 gradients, 1e-4 on the curve; f16 weights 2e-3 forward. */
export const ORACLE_TOLERANCES: Record<'f32' | 'f16', Tolerances> = {
  f32: { forward: 1e-5, gradient: 1e-4, curve: 1e-4 },
  f16: { forward: 2e-3, gradient: 2e-2, curve: 2e-2 },
};

interface TrainResult {
  train: { lr: number; loss: number; grad_norm_before_clip: number }[];
  generate?: { prompt: number[]; new_tokens: number[] };
  loss: number;
}

/** The files of an oracle, wherever they lie; null for one that it does not have. */
export type OracleFiles = (name: string) => Promise<Uint8Array<ArrayBuffer> | null>;

/** `note` hears of each check as it is made; `folder` names the oracle in it. */
export async function checkOracle(
  folder: string,
  files: OracleFiles,
  format: WeightFormat,
  tolerances: Tolerances,
  hear: (check: Check) => void,
): Promise<void> {
  const note = (check: string, error: number, tolerance: number) =>
    hear({ folder, check, error, tolerance, ok: error <= tolerance });
  const read = async (name: string) => {
    const bytes = await files(name);
    if (!bytes) throw new Error(`The oracle ${folder} has no file ${name}.`);
    return bytes;
  };
  const text = async (name: string) => new TextDecoder().decode(await read(name));
  const json = async (name: string): Promise<unknown> => JSON.parse(await text(name));
  const readTensors = async (name: string) => tensorsOf(`${folder}/${name}`, await read(name));
  const config = readConfig(await json('config.json'));
  if (await files('config.v5.json')) {
    const same = JSON.stringify(readConfig(await json('config.v5.json'))) === JSON.stringify(config);
    note('config.v5.json reads the same', same ? 0 : 1, 0);
  }
  const file = fileInMemory('model.safetensors', await read('model.safetensors'));
  const source = sourceOf(
    await openCheckpoint([file], new Map([['config.json', await text('config.json')]])),
  );
  const weights = await loadWeights(config, source, format);
  const inputs = await readTensors('inputs.safetensors');
  const packed = packOracle(inputs('input_ids'), inputs('attention_mask'), inputs('labels'));
  const base = await readTensors('base.safetensors');
  const bare = baseModel(config, weights);

  for (const { window, rope } of config.kinds) {
    if (!rope) continue;
    const part = config.family !== 'gemma3' ? '' : window === null ? 'full_attention_' : 'sliding_attention_';
    const theirs = base(`rope.${part}inv_freq`).values;
    note(
      `inverse frequencies (layers seeing ${window ?? 'all'} keys)`,
      relativeL2(inverseFrequencies(rope, packed.length), theirs),
      1e-6,
    );
  }

  const logits = await packedLogits(bare, packed);
  note('base logits', realRows(logits, base('logits').values, packed, config.vocab), tolerances.forward);
  const meta = (await json('meta.json')) as {
    base: { generate: { prompt: number[]; new_tokens: number[] } };
  };
  const steps = await readTensors('generate.safetensors');
  await noteGeneration('base', bare, meta.base.generate, steps('base_step_logits'));

  for (const kind of ['lora', 'rslora', 'lora_patterns']) {
    if (!(await files(`${kind}/adapter_model.safetensors`))) continue;
    const result = (await json(`${kind}/result.json`)) as TrainResult;
    const trainable = await startFrom(kind);
    const expected = await readTensors(`${kind}/fwd_bwd.safetensors`);
    const tuned: Runnable = {
      config,
      outside: weights,
      layer: (index) => trainable.layer(index, (block) => trainable.flat.tensor(block), null),
    };
    if (kind === 'lora') {
      const ours = await packedLogits(tuned, packed);
      note(
        'lora logits',
        realRows(ours, expected('logits').values, packed, config.vocab),
        tolerances.forward,
      );
      if (result.generate) await noteGeneration('lora', tuned, result.generate, steps('lora_step_logits'));
    }
    const { loss, perToken } = await lossAndGradient(config, trainable, packed);
    note(`${kind} loss`, Math.abs(loss - result.loss) / result.loss, tolerances.forward);
    note(
      `${kind} per-token loss`,
      relativeL2(perToken, inOrder(expected('per_token_loss'), packed)),
      tolerances.forward,
    );
    const gradient = await trainable.flat.state.gradient.data();
    for (const slot of slotsOf(trainable.blocks)) {
      const theirs = expected(`grad.base_model.model.${slot.name}.weight`).values;
      const ours = gradient.subarray(slot.offset, slot.offset + slot.count);
      note(`${kind} gradient ${slot.name}`, relativeL2(ours, theirs), tolerances.gradient);
    }
    trainable.flat.dispose();
    if (result.train) await noteTraining(kind, result, inputs);
  }
  disposeWeights(weights);

  async function startFrom(kind: string): Promise<Trainable> {
    const bytes = await read(`${kind}/adapter_model.safetensors`);
    const adapter = readPeft(await text(`${kind}/adapter_config.json`), bytes, config);
    return loraTrainable(config, weights, adapter.spec, adapter);
  }

  async function noteGeneration(
    name: string,
    model: Runnable,
    expected: { prompt: number[]; new_tokens: number[] },
    expectedLogits: OracleTensor,
  ): Promise<void> {
    const seen: number[] = [];
    const tokens: number[] = [];
    const run = generate(model, [Int32Array.from(expected.prompt)], {
      maxTokens: expected.new_tokens.length,
      stopIds: [],
      temperature: 0,
      topP: 1,
      random: () => 0,
      onLogits: (values) => seen.push(...values),
    });
    for await (const [id] of run) tokens.push(id ?? -1);
    note(
      `${name} greedy tokens that differ`,
      tokens.filter((id, i) => id !== expected.new_tokens[i]).length,
      0,
    );
    note(`${name} generation logits`, relativeL2(seen, expectedLogits.values), tolerances.forward);
  }

  async function noteTraining(
    kind: string,
    result: TrainResult,
    batches: (name: string) => OracleTensor,
  ): Promise<void> {
    const trainable = await startFrom(kind);
    let worst = 0;
    let worstNorm = 0;
    for (const [step, expected] of result.train.entries()) {
      const part = (name: string) => sliceStep(batches(name), step);
      const rows = packOracle(part('train_input_ids'), part('train_attention_mask'), part('train_labels'));
      const { loss } = await lossAndGradient(config, trainable, rows);
      const norm = gradientNorm(trainable.flat.state, 1);
      const [, length = NaN] = await norm.data();
      const learningRate = learningRateAt(
        { learningRate: 1e-3, schedule: 'linear', warmupSteps: 3 },
        step,
        result.train.length,
      );
      worst = Math.max(worst, Math.abs(loss - expected.loss), Math.abs(learningRate - expected.lr));
      worstNorm = Math.max(worstNorm, Math.abs(length / expected.grad_norm_before_clip - 1));
      const fixed = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
      adamw(trainable.flat.state, norm, { ...fixed, learningRate, update: step + 1 });
      norm.dispose();
    }
    note(`${kind} ten steps: loss and rate`, worst, tolerances.curve);
    note(`${kind} ten steps: gradient norm`, worstNorm, tolerances.gradient * 10);
    const { parameters } = await trainable.flat.read();
    const after = await readTensors(`${kind}/adapter_after10.safetensors`);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (const slot of slotsOf(trainable.blocks)) {
      ours.push(...parameters.subarray(slot.offset, slot.offset + slot.count));
      theirs.push(...after(`base_model.model.${slot.name}.weight`).values);
    }
    note(`${kind} adapter after ten steps`, relativeL2(ours, theirs), tolerances.gradient * 10);
    trainable.flat.dispose();
  }
}

async function packedLogits(model: Runnable, packed: PackedRows): Promise<ArrayLike<number>> {
  const tables = rotaryTables(model.config, packed.length);
  const rows = [...Array(packed.rows).keys()];
  const batch = makeBatch(packed, rows, rows.length, 1, model.config, tables, 32);
  const hidden = hiddenStates(model, batch.ids, batch.sight);
  const logits = logitsOf(model, hidden);
  const values = await logits.data();
  disposeBatch(batch);
  tf.dispose([...tables, hidden, logits]);
  return values;
}

async function lossAndGradient(config: ModelConfig, trainable: Trainable, packed: PackedRows) {
  const tables = rotaryTables(config, packed.length);
  const rows = [...Array(packed.rows).keys()];
  const count = supervisedIn(packed, rows);
  const batch = makeBatch(packed, rows, rows.length, 1 / count, config, tables, 32);
  const { logp } = forwardBackward(config, trainable, batch, null);
  const perToken = Array.from(await logp.data(), (value) => (value === 0 ? 0 : -value));
  disposeBatch(batch);
  tf.dispose([...tables, logp]);
  return { loss: perToken.reduce((sum, value) => sum + value, 0) / count, perToken };
}
