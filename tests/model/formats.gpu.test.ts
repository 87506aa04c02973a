/**
 * A model in 8 or 4 bits is another model than the reference's, so it is held to itself: the same numbers, decoded, as f32. Logits
 * and every LoRA gradient must agree as closely as f32 agrees with the reference.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { loraTrainable } from '../../src/adapter/lora';
import { decode, encode } from '../../src/checkpoint/planes';
import { sourceOfValues, type WeightSource } from '../../src/checkpoint/source';
import { readPeft } from '../../src/exchange/peft';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { readConfig } from '../../src/model/config';
import { rotaryTables } from '../../src/model/rotary';
import { formatOfTensor } from '../../src/model/shapes';
import { loadWeights } from '../../src/model/loadWeights';
import { disposeWeights } from '../../src/model/weights';
import type { PackedRows } from '../../src/protocol/data';
import { usableFormat, type WeightFormat } from '../../src/protocol/weightFormats';
import { disposeBatch, makeBatch } from '../../src/training/batch';
import { forwardBackward } from '../../src/training/step';
import { sourceOfFolder } from '../checkpoint/folder';
import { relativeL2 } from '../../src/selftest/distance';

vi.setConfig({ testTimeout: 240_000 });
const folder = 'tests/fixtures/models/qwen2';
const bytes = (name: string) => new Uint8Array(readFileSync(`${folder}/${name}`));
const config = readConfig(JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')));

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

/** Two rows of 24 tokens, each of two documents. */
const rows: PackedRows = (() => {
  const ids = Int32Array.from({ length: 48 }, (_, i) => (i * 29 + 7) % 384);
  const targets = ids.map((_, i) => (i % 12 === 11 ? -1 : (ids[i + 1] ?? -1)));
  const documentStart = ids.map((_, i) => (i % 24 < 12 ? 0 : 12));
  return { length: 24, rows: 2, ids, targets, documentStart, examples: 4, supervised: 44 };
})();

async function pass(source: WeightSource, format: WeightFormat) {
  const weights = await loadWeights(config, source, format);
  const adapter = readPeft(
    readFileSync(`${folder}/lora/adapter_config.json`, 'utf8'),
    bytes('lora/adapter_model.safetensors'),
    config,
  );
  const trainable = loraTrainable(config, weights, adapter.spec, adapter);
  const tables = rotaryTables(config, rows.length);
  const batch = makeBatch(rows, [0, 1], 2, 1 / rows.supervised, config, tables, 32);
  const { logp } = forwardBackward(config, trainable, batch, null);
  const result = { logp: await logp.data(), gradient: await trainable.flat.state.gradient.data() };
  disposeBatch(batch);
  trainable.flat.dispose();
  disposeWeights(weights);
  return result;
}

it.each(['q8', 'q4', 'nf4', 'nf4dq'] as const)(
  '%s trains as f32 does on what it decodes to',
  async (format) => {
    const source = await sourceOfFolder(folder);
    const shapes = new Map(source.names().map((name) => [name, source.shape(name)]));
    const rounded = sourceOfValues(shapes, async (name) => {
      const values = await source.read(name);
      if (source.shape(name).length < 2) return values;
      const [n = 0, k = 0] = source.shape(name);
      const own = usableFormat(formatOfTensor(name, format), n, k);
      return decode(encode(values, own), own, values.length);
    });
    const [packed, plain, original] = [
      await pass(source, format),
      await pass(rounded, 'f32'),
      await pass(source, 'f32'),
    ];
    expect(relativeL2(packed.logp, plain.logp)).toBeLessThan(1e-5);
    expect(relativeL2(packed.gradient, plain.gradient)).toBeLessThan(1e-4);
    // and it is not the original: rounding shows
    expect(relativeL2(packed.gradient, original.gradient)).toBeGreaterThan(1e-3);
  },
);
