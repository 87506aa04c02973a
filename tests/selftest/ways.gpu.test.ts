/** Every way in which an operation can be computed on this device is right, so that each can stand in for the usual one. */
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import { forgetPipelines, kernelsMade } from '../../src/gpu/pipelines';
import { NoRightWay, useDetours, waysAround, wayOf } from '../../src/ops/ways';
import { checkOracle, ORACLE_TOLERANCES, type Check } from '../../src/selftest/check';
import { errorOf, expectedOf } from '../../src/selftest/detours';
import { operationsToTest } from '../../src/selftest/operations';
import { filesIn } from '../oracle/folder';

vi.setConfig({ testTimeout: 300_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => {
  useDetours([]);
  engine.check();
});

it('gives what the twin gives on the processor, in every way there is', async () => {
  const wrong: string[] = [];
  const tried: string[] = [];
  for (const { operation, cases } of operationsToTest())
    for (const one of cases) {
      const expected = await expectedOf(one);
      for (const way of waysAround(operation)) {
        useDetours([{ operation, way }]);
        const error = await errorOf(one, expected, () => engine.check());
        tried.push(`${one.name}: ${way}`);
        if (!(error <= one.tolerance)) wrong.push(`${one.name}: ${way}, ${error}`);
      }
    }
  expect(wrong).toEqual([]);
  for (const each of ['linear, q4: registers', 'attention: stock', 'adamw: stock', 'rmsNorm: single'])
    expect(tried).toContain(each);
});

it('trains a whole model as PyTorch does on TensorFlow.js’ own operations', async () => {
  const stock = operationsToTest().flatMap(({ operation }) =>
    waysAround(operation).includes('stock') ? [{ operation, way: 'stock' as const }] : [],
  );
  useDetours(stock);
  forgetPipelines();
  const checks: Check[] = [];
  const note = (check: Check) => checks.push(check);
  const all = filesIn('tests/fixtures/models/qwen3');
  const files = async (name: string) => (/^(rslora|lora_patterns)/.test(name) ? null : all(name));
  await checkOracle('qwen3', files, 'f32', ORACLE_TOLERANCES.f32, note);
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(checks.map(({ check }) => check)).toContain('lora adapter after ten steps');
  // not one of our own took part
  expect(kernelsMade()).toEqual([]);
});

it('says what a person can do where there is no way', () => {
  useDetours([{ operation: 'linear q4', way: null }]);
  expect(() => wayOf('linear q4')).toThrow(NoRightWay);
  expect(() => wayOf('linear q4')).toThrow(
    'On this graphics card, multiplying by q4 weights gives wrong results in every way that Loratory knows, so it is refused here. Choose another weight format.',
  );
  expect(wayOf('linear q8')).toBe('usual');
});
