/**
 * The acceptance test of the GGUF export: llama.cpp itself opens our model and our adapter, and must give the oracle's
 * log-probabilities (transformers and PEFT). Mistral is compared over the first 8 tokens, because llama.cpp does not know
 * its window of 8.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlama, LlamaLogLevel, type Llama, type Token } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeGgufAdapter } from '../../src/exchange/gguf';
import { writeGgufModel } from '../../src/exchange/ggufModel';
import { FAMILIES, fixture, readTensor, type FixtureFamily } from './fixtures';

/** The f16 attention of llama.cpp's CPU path is what is left; measured 1e-4 to 1e-3. */
const TOLERANCE = 5e-3;
/** What an adapter must change to have been applied at all. */
const VISIBLE = 0.1;

let llama: Llama;
const folder = mkdtempSync(join(tmpdir(), 'loratory-gguf-'));
beforeAll(async () => {
  llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.error });
}, 60_000);
afterAll(async () => {
  await llama.dispose();
  rmSync(folder, { recursive: true });
});

function save(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Logits [ids, vocab] as llama.cpp computes them. */
async function logitsOf(modelPath: string, ids: number[], adapterPath: string | null): Promise<number[][]> {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  try {
    const context = await model.createContext({
      contextSize: 64,
      flashAttention: false,
      experimentalKvCacheKeyType: 'F32',
      experimentalKvCacheValueType: 'F32',
      ...(adapterPath === null ? {} : { lora: { adapters: [{ filePath: adapterPath, scale: 1 }] } }),
    });
    const results = await context
      .getSequence()
      .controlledEvaluate(ids.map((id) => [id as Token, { generateNext: { logits: true } }]));
    return results.map((result) => {
      const logits = result?.next.logits;
      if (!logits) throw new Error('llama.cpp returned no logits');
      return ids.length === 0
        ? []
        : Array.from({ length: logits.size }, (_, id) => logits.get(id as Token) ?? NaN);
    });
  } finally {
    await model.dispose();
  }
}

function logSoftmax(logits: number[]): number[] {
  const top = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) + top;
  return logits.map((logit) => logit - total);
}

function largestDifference(found: number[][], expected: number[][]): number {
  const differences = found.flatMap((row, i) => {
    const other = logSoftmax(expected[i] ?? []);
    return logSoftmax(row).map((value, j) => Math.abs(value - (other[j] ?? NaN)));
  });
  return differences.reduce(
    (most, difference) => Math.max(most, Number.isNaN(difference) ? Infinity : difference),
    0,
  );
}

/** Row 0 of the oracle's batch: its ids, and logits [ids, vocab] of one of the oracle's files. */
function oracle(family: FixtureFamily) {
  const { path } = fixture(family);
  const { values: all, shape } = readTensor(path('inputs.safetensors'), 'input_ids');
  const length = family === 'mistral' ? 8 : (shape[1] ?? 0);
  const ids = [...all.subarray(0, length)];
  const logits = (...file: string[]) => {
    const { values, shape: dims } = readTensor(path(...file), 'logits');
    const vocab = dims[2] ?? 0;
    return ids.map((_, position) => [...values.subarray(position * vocab, (position + 1) * vocab)]);
  };
  return { ids, logits };
}

describe.each(FAMILIES)('llama.cpp on %s', (family) => {
  const { config, assets, weights, adapter } = fixture(family);
  const { ids, logits } = oracle(family);
  let model: string;
  beforeAll(async () => {
    model = save(`${family}.gguf`, await writeGgufModel(config, weights(), assets, `tiny ${family}`));
  });

  it('gives the base model’s log-probabilities', async () => {
    const found = await logitsOf(model, ids, null);
    expect(largestDifference(found, logits('base.safetensors'))).toBeLessThan(TOLERANCE);
  });

  it('gives the tuned model’s log-probabilities through our LoRA file', async () => {
    const file = save(`${family}-lora.gguf`, writeGgufAdapter(adapter('lora'), config, 'lora'));
    const found = await logitsOf(model, ids, file);
    const expected = logits('lora', 'fwd_bwd.safetensors');
    expect(largestDifference(found, expected)).toBeLessThan(TOLERANCE);
    expect(largestDifference(logits('base.safetensors'), expected)).toBeGreaterThan(VISIBLE);
  });
});
