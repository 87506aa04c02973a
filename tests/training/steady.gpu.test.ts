/** A run in its stride makes nothing: no buffer, no byte, no cached uniform or bind group from step to step. */
import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { loraTrainable } from '../../src/adapter/lora';
import { specOf } from '../../src/adapter/spec';
import { startEngine } from '../../src/gpu/backend';
import { gpu } from '../../src/gpu/inside';
import { cacheSizes } from '../../src/gpu/pipelines';
import { allocatedBytes } from '../../src/gpu/memory';
import { readConfig } from '../../src/model/config';
import { loadWeights } from '../../src/model/loadWeights';
import type { PackedRows } from '../../src/protocol/data';
import { parseSettings } from '../../src/protocol/settings';
import { planRun } from '../../src/training/plan';
import { trainRun } from '../../src/training/run';
import { sourceOfFolder } from '../checkpoint/folder';

vi.setConfig({ testTimeout: 300_000 });

const STEPS = 240;
const FIRST = 3;

/** Six rows of 32 tokens; from row to row another number of tokens is learned, 8 to 28 of them. */
function rows(): PackedRows {
  const [length, count] = [32, 6];
  const ids = Int32Array.from({ length: length * count }, (_, i) => ((i * 7) % 13) + 20);
  const targets = ids.map((_, i) => (i % length < 8 + 4 * Math.floor(i / length) ? (ids[i + 1] ?? -1) : -1));
  const documentStart = new Int32Array(length * count);
  const supervised = targets.filter((target) => target >= 0).length;
  return { length, rows: count, ids, targets, documentStart, examples: 2 * count, supervised };
}

it('240 steps make no buffer and keep no more at the end than after the first three', async () => {
  const engine = await startEngine();
  const folder = 'tests/fixtures/models/llama';
  const config = readConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')));
  const weights = await loadWeights(config, await sourceOfFolder(folder), 'f32');
  const settings = parseSettings({
    rank: 4,
    alpha: 8,
    epochs: 80,
    batchExamples: 4,
    maxSteps: STEPS,
    evaluateEvery: 1000,
    patience: 0,
    dropout: 0.1,
    weightFormat: 'f32',
  });
  const trainable = loraTrainable(config, weights, specOf(settings, config), { seed: 3 });
  const train = rows();
  const { device } = gpu();
  const create = device.createBuffer.bind(device);
  let created = 0;
  device.createBuffer = (descriptor) => {
    created++;
    return create(descriptor);
  };
  const seen: { created: number; bytes: number; uniforms: number; bindGroups: number; pipelines: number }[] =
    [];
  const outcome = await trainRun({
    config,
    trainable,
    settings,
    train,
    validation: { ...train, rows: 0, supervised: 0 },
    plan: planRun(config, settings, train, { backend: 'webgpu', device: '' }),
    from: null,
    control: { stopRequested: false, pauseRequested: false, resumed: () => Promise.resolve() },
    emit: (event) => {
      if (event.type === 'step') seen.push({ created, bytes: allocatedBytes(), ...cacheSizes() });
    },
    save: () => Promise.resolve(),
    check: () => engine.check(),
  });
  device.createBuffer = create;
  trainable.flat.dispose();
  expect(outcome.lastStep).toBe(STEPS);
  expect(created).toBeGreaterThan(0);
  expect(seen).toHaveLength(STEPS);
  expect(seen[STEPS - 1]).toEqual(seen[FIRST]);
});
