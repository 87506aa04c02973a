/** A rehearsed run: every pipeline of its steps and checks is there before the first, and the rehearsal itself takes nothing. */
import * as tf from '@tensorflow/tfjs-core';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { fullTrainable } from '../../src/adapter/full';
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { startEngine } from '../../src/gpu/backend';
import { countBuffers } from '../../src/gpu/countBuffers';
import { dispatchCount } from '../../src/gpu/dispatch';
import { gpu } from '../../src/gpu/inside';
import { allocatedBytes } from '../../src/gpu/memory';
import { cacheSizes } from '../../src/gpu/pipelines';
import { readConfig } from '../../src/model/config';
import { loadWeights } from '../../src/model/loadWeights';
import { useDetours } from '../../src/ops/ways';
import type { PackedRows } from '../../src/protocol/data';
import type { OperationName } from '../../src/protocol/detours';
import { parseSettings, type Settings } from '../../src/protocol/settings';
import { planRun } from '../../src/training/plan';
import { rehearseRun } from '../../src/training/rehearseRun';
import { trainRun } from '../../src/training/run';
import { sourceOfFolder } from '../checkpoint/folder';

vi.setConfig({ testTimeout: 300_000 });

afterEach(() => useDetours([]));

/** Rows of 32 tokens; in the first less is learned than in the last, as much as fills several chunks of the head. */
function rows(count: number, vocab: number): PackedRows {
  const length = 32;
  const ids = Int32Array.from({ length: length * count }, (_, i) => ((i * 7) % 13) + (vocab > 40 ? 20 : 0));
  const targets = ids.map((_, i) =>
    i % length < 4 * (1 + Math.floor(i / length)) ? (ids[i + 1] ?? -1) : -1,
  );
  const supervised = targets.filter((target) => target >= 0).length;
  const documentStart = new Int32Array(length * count);
  return { length, rows: count, ids, targets, documentStart, examples: count, supervised };
}

/** Labels of the pipelines made on the spot from now on, ours and tfjs'. */
function watchPipelines(): string[] {
  const made: string[] = [];
  const { device } = gpu();
  const make = device.createComputePipeline.bind(device);
  device.createComputePipeline = (descriptor) => {
    made.push(descriptor.label ?? '');
    return make(descriptor);
  };
  return made;
}

const cases: [family: string, changes: Partial<Settings>, detours?: OperationName[]][] = [
  ['qwen2', { weightFormat: 'q4' }],
  ['gemma3_text', { weightFormat: 'f16', dropout: 0.1 }],
  ['phi3', { weightFormat: 'nf4', targets: ['o_proj', 'down_proj'], keptLayers: 1 }],
  ['smollm3', { weightFormat: 'q8', dropout: 0.1, keptLayers: 1000 }],
  ['qwen3', { method: 'full', weightFormat: 'f32' }],
  ['llama', { weightFormat: 'f16' }, ['glu', 'rows', 'adamw', 'rmsNorm', 'attention']],
];

it.each(cases)('%s with %o makes no pipeline after its rehearsal', async (family, changes, detours = []) => {
  const engine = await startEngine();
  useDetours(detours.map((operation) => ({ operation, way: 'stock' })));
  const folder = `tests/fixtures/models/${family}`;
  const config = readConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')));
  const settings = parseSettings({
    ...{ rank: 4, alpha: 8, epochs: 2, batchExamples: 2, maxSteps: 4, evaluateEvery: 2, patience: 0 },
    ...changes,
  });
  const train = rows(6, config.vocab);
  const validation = rows(2, config.vocab);

  const before = { bytes: allocatedBytes(), tensors: tf.memory().numTensors, dispatches: dispatchCount() };
  const buffers = countBuffers();
  const onTheSpot = watchPipelines();
  const rehearsal = rehearseRun({ config, settings, train, validation });
  const after = { bytes: allocatedBytes(), tensors: tf.memory().numTensors, dispatches: dispatchCount() };
  expect(after).toEqual(before);
  expect(rehearsal.total).toBeGreaterThan(20);
  const told: number[] = [];
  await rehearsal.ready((made) => told.push(made));
  buffers.stop();
  expect(allocatedBytes()).toBe(before.bytes);
  expect(buffers.made).toBeLessThanOrEqual(10);
  expect(told).toEqual(Array.from({ length: rehearsal.total + 1 }, (_, made) => made));
  expect(onTheSpot).toEqual([]);
  const { pipelines } = cacheSizes();
  expect(pipelines).toBeLessThanOrEqual(rehearsal.total);

  const source = await sourceOfFolder(folder);
  const weights = await loadWeights(config, source, settings.weightFormat);
  const full = settings.method === 'full';
  const trainable = full
    ? await fullTrainable(config, source)
    : loraTrainable(config, weights, specOf(settings, config), { seed: 3 });
  onTheSpot.splice(0); // loading joins biases with a kernel of tfjs'
  const outcome = await trainRun({
    ...{ config, trainable, settings, train, validation, from: null },
    plan: planRun(config, settings, train, { backend: 'webgpu', device: '' }),
    control: { stopRequested: false, pauseRequested: false, resumed: () => Promise.resolve() },
    emit: () => undefined,
    save: () => Promise.resolve(),
    check: () => engine.check(),
  });
  expect(outcome.lastStep).toBe(4);
  expect(onTheSpot).toEqual([]);
  expect(cacheSizes().pipelines).toBe(pipelines);
});
