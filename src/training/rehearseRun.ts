/**
 * Goes through a training step and a check on held-out rows with nothing but shapes, so that their pipelines are made while the
 * weights come in. What a step runs is written in step.ts and heldOut.ts; this only calls them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { blankFullTrainable } from '../adapter/full';
import { loraTrainable } from '../adapter/lora';
import { specOf } from '../adapter/spec';
import { blankTensor } from '../gpu/tensors';
import { rehearse, type Rehearsal } from '../gpu/rehearsal';
import { blankWeights } from '../model/blankWeights';
import type { ModelConfig } from '../model/config';
import { rotaryTables } from '../model/rotary';
import { disposeWeights } from '../model/weights';
import { adamw, gradientNorm } from '../ops/flat';
import type { PackedRows } from '../protocol/data';
import type { Settings } from '../protocol/settings';
import { disposeBatch, makeBatch, supervisedIn } from './batch';
import { chunkRows } from './chunkRows';
import { logpOfBatch } from './heldOut';
import { planSteps } from './order';
import { microRows } from './plan';
import { runnable } from './run';
import { forwardBackward } from './step';

export interface RehearsedRun {
  config: ModelConfig;
  /** With the weight format that the model really takes. */
  settings: Settings;
  train: PackedRows;
  validation: PackedRows;
}

export function rehearseRun({ config, settings, train, validation }: RehearsedRun): Rehearsal {
  return rehearse(() => {
    const full = settings.method === 'full';
    const weights = full ? null : blankWeights(config, settings.weightFormat);
    const trainable = weights
      ? loraTrainable(config, weights, specOf(settings, config), null)
      : blankFullTrainable(config);
    const tables = rotaryTables(config, Math.max(train.length, validation.length));
    const rowsAtOnce = microRows(train.length, planSteps(settings, train).rowsPerStep);
    const batchOf = (packed: PackedRows) => {
      const chunk = chunkRows(config.vocab, rowsAtOnce * packed.length);
      return makeBatch(packed, fullest(packed, rowsAtOnce), rowsAtOnce, 1, config, tables, chunk);
    };

    const batch = batchOf(train);
    const seed = settings.dropout > 0 ? blankTensor([1], 'int32') : null;
    const { logp } = forwardBackward(config, trainable, batch, seed, settings);
    tf.sum(logp);
    logp.dispose();
    const { beta1, beta2, epsilon, weightDecay, learningRate } = settings;
    const norm = gradientNorm(trainable.flat.state, settings.clip);
    adamw(trainable.flat.state, norm, { learningRate, beta1, beta2, epsilon, weightDecay, update: 1 });
    disposeBatch(batch);

    if (validation.supervised > 0) {
      const heldOut = batchOf(validation);
      logpOfBatch(runnable(config, trainable), heldOut);
      disposeBatch(heldOut);
    }
    trainable.flat.dispose();
    if (weights) disposeWeights(weights);
    tf.dispose(tables);
  });
}

/** The rows in which most is learned: a head in several chunks runs all that one in a single chunk does. */
function fullest(packed: PackedRows, count: number): number[] {
  const rows = Array.from({ length: packed.rows }, (_, row) => ({
    row,
    learned: supervisedIn(packed, [row]),
  }));
  return rows
    .sort((a, b) => b.learned - a.learned)
    .slice(0, count)
    .map(({ row }) => row);
}
