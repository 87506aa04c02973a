/** A micro-batch that is run from the recording of another gives the gradients of one that is built, bit for bit. */
import { readdirSync, readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { refill } from '../../src/gpu/refill';
import { readConfig } from '../../src/model/config';
import { loadWeights } from '../../src/model/loadWeights';
import { rotaryTables } from '../../src/model/rotary';
import { disposeWeights } from '../../src/model/weights';
import type { PackedRows } from '../../src/protocol/data';
import { parseSettings, type Settings } from '../../src/protocol/settings';
import { disposeBatch, makeBatch, type Batch } from '../../src/training/batch';
import { MicroBatches } from '../../src/training/microBatches';
import { forwardBackward } from '../../src/training/step';
import { sourceOfFolder } from '../checkpoint/folder';

const models = 'tests/fixtures/models';
const LENGTH = 40;
/** Tokens that the head takes at once: 10 are one chunk, 20 and 30 are two. */
const CHUNK = 16;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

/** Each row holds ids of its own; of the first 10, 20 and 30 tokens the next is learned. */
function packed(): PackedRows {
  const rows = 3;
  const ids = Int32Array.from({ length: rows * LENGTH }, (_, i) => (i * 7 + Math.floor(i / LENGTH)) % 200);
  const targets = ids.map((_, i) =>
    i % LENGTH < 10 * (Math.floor(i / LENGTH) + 1) ? (ids[i + 1] ?? -1) : -1,
  );
  return {
    ...{ length: LENGTH, rows, ids, targets, documentStart: new Int32Array(rows * LENGTH) },
    ...{ examples: rows, supervised: 60 },
  };
}

const CASES: [family: string, changes: Partial<Settings>][] = [
  ...readdirSync(models).map((family): [string, Partial<Settings>] => [family, {}]),
  ['llama', { keptLayers: 1 }],
  ['llama', { keptLayers: 1000 }],
  ['llama', { halfInputs: true }],
  ['llama', { dropout: 0.25 }],
  ['gemma3_text', { dropout: 0.25, keptLayers: 1 }],
];

it.each(CASES)('%s with %o', async (family, changes) => {
  const settings = parseSettings({ rank: 4, alpha: 8, ...changes });
  const folder = `${models}/${family}`;
  const config = readConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')));
  const weights = await loadWeights(config, await sourceOfFolder(folder), 'q4');
  const trainable = loraTrainable(config, weights, specOf(settings, config), { seed: 3 });
  const { flat } = trainable;
  // B is zero at first, and then A has no gradient
  flat.write({ parameters: Float32Array.from({ length: flat.count }, (_, i) => Math.sin(i) / 10) });
  const tables = rotaryTables(config, LENGTH);
  let seed: tf.Tensor | undefined;
  let batch: Batch | undefined;
  const passes = new MicroBatches(config, trainable, settings);
  const gradientOf = async (row: number, pass: (batch: Batch) => tf.Tensor) => {
    flat.state.gradient = refill(flat.state.gradient, new Float32Array(flat.count), [flat.count]);
    batch = makeBatch(packed(), [row], 1, 0.1, config, tables, CHUNK, batch);
    if (settings.dropout > 0) seed = refill(seed, Int32Array.of(7 + row), [1]);
    const logp = Array.from(await pass(batch).data());
    return { logp, gradient: Array.from(await flat.state.gradient.data()) };
  };
  const byRecorder = (row: number) => gradientOf(row, (own) => passes.run(own, seed ?? null));
  const built = (row: number) =>
    gradientOf(row, (own) => {
      const { logp } = forwardBackward(config, trainable, own, seed ?? null, settings);
      made.push(logp);
      return logp;
    });
  const made: tf.Tensor[] = [];

  // rows 1 and 2 fill two chunks, row 0 one; the first time of each is built
  for (const row of [0, 0, 1, 1]) await byRecorder(row);
  const runs = vi.spyOn(tf.engine(), 'runKernel');
  const again = [await byRecorder(2), await byRecorder(0), await byRecorder(1)];
  expect(runs).not.toHaveBeenCalled();
  runs.mockRestore();
  passes.forget();
  const expected = [await built(2), await built(0), await built(1)];
  expect(again).toEqual(expected);
  expect(expected[0]?.gradient).not.toEqual(expected[2]?.gradient);
  expect(Math.max(...(expected[0]?.gradient ?? []))).toBeGreaterThan(1e-3);

  if (batch) disposeBatch(batch);
  tf.dispose([tables, made, seed ?? []]);
  flat.dispose();
  disposeWeights(weights);
});
