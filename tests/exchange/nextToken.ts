/** Log-probabilities of every next token, [ids][vocab], by our engine on the processor and by llama.cpp. */
import { writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import type { Llama, LlamaModel, Token } from 'node-llama-cpp';
import { baseModel } from '../../src/adapter/baseModel';
import type { WeightSource } from '../../src/checkpoint/source';
import type { ModelConfig } from '../../src/model/config';
import { hiddenStates } from '../../src/model/forward';
import { loadWeights } from '../../src/model/loadWeights';
import { rotaryTables } from '../../src/model/rotary';
import { disposeSight, sightOfDocuments } from '../../src/model/sight';
import { disposeWeights } from '../../src/model/weights';
import { linear } from '../../src/ops/linear';
import { rmsNorm } from '../../src/ops/rmsNorm';

export function logSoftmax(logits: number[]): number[] {
  const top = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) + top;
  return logits.map((logit) => logit - total);
}

/** Logits [ids][vocab] of one document, the backend already started. */
export async function ourLogits(
  config: ModelConfig,
  source: WeightSource,
  ids: number[],
): Promise<number[][]> {
  const weights = await loadWeights(config, source, 'f32');
  const tables = rotaryTables(config, ids.length);
  const sight = sightOfDocuments(config, new Int32Array(ids.length), tables);
  const logits = tf.tidy(() => {
    const hidden = hiddenStates(baseModel(config, weights), tf.tensor1d(ids, 'int32'), sight);
    return linear(rmsNorm(hidden, weights.norm, config.norm), weights.head);
  });
  const rows = (await logits.array()) as number[][];
  disposeSight(sight);
  tf.dispose([...tables.filter((table) => table !== undefined), logits]);
  disposeWeights(weights);
  return rows;
}

/** llama.cpp on a file, which is written to `path` first: the rows of one document after the other. */
export async function theirLogProbabilities(
  llama: Llama,
  path: string,
  bytes: Uint8Array,
  ...documents: number[][]
): Promise<number[][]> {
  writeFileSync(path, bytes);
  const model = await llama.loadModel({ modelPath: path, gpuLayers: llama.gpu === false ? 0 : 'max' });
  try {
    const rows: number[][] = [];
    for (const ids of documents) rows.push(...(await logProbabilities(model, ids, null)));
    return rows;
  } finally {
    await model.dispose();
  }
}

/** llama.cpp on an open model, perhaps with a LoRA file: plain sampling, a cache of f32. */
export async function logProbabilities(
  model: LlamaModel,
  ids: number[],
  adapterPath: string | null,
): Promise<number[][]> {
  const context = await model.createContext({
    contextSize: 64,
    // A software driver compiles the product of a matrix and a vector in seconds, that of two matrices in minutes.
    ...(model.llama.gpu === false ? {} : { batchSize: 1 }),
    threads: 1, // more only wait for each other at this size
    flashAttention: false,
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
    ...(adapterPath === null ? {} : { lora: { adapters: [{ filePath: adapterPath, scale: 1 }] } }),
  });
  const options = { temperature: 1, topK: 0, topP: 1, minP: 0 };
  try {
    const results = await context
      .getSequence()
      .controlledEvaluate(ids.map((id) => [id as Token, { generateNext: { probabilities: true, options } }]));
    return ids.map((_, position) => {
      const probabilities = results[position]?.next.probabilities;
      if (!probabilities) throw new Error(`llama.cpp returned no probabilities for token ${position}`);
      return Array.from({ length: probabilities.size }, (_, id) =>
        Math.log(probabilities.get(id as Token) ?? NaN),
      );
    });
  } finally {
    await context.dispose();
  }
}

/** The largest difference of any number; neither may hold one that is no number. */
export function largestDifference(found: number[][], expected: number[][]): number {
  if (found.length !== expected.length) throw new Error(`${found.length} rows and ${expected.length}`);
  let most = 0;
  found.forEach((row, position) => {
    const other = expected[position] ?? [];
    if (row.length !== other.length) throw new Error(`${row.length} and ${other.length} tokens`);
    row.forEach((value, id) => {
      const difference = Math.abs(value - (other[id] ?? NaN));
      if (!Number.isFinite(difference)) throw new Error(`token ${id} of row ${position} is no number`);
      most = Math.max(most, difference);
    });
  });
  return most;
}
