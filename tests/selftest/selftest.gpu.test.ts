/** The self-test of the page on this rig's device: it passes here, and a kernel that is made wrong is named. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import type { SelfTestCheck } from '../../src/protocol/benchmark';
import { forgetPipelines } from '../../src/gpu/pipelines';
import { useDetours } from '../../src/ops/ways';
import { SELF_TEST_FILES } from '../../src/selftest/files';
import { selfTest } from '../../src/selftest/run';
import { filesIn } from '../oracle/folder';

vi.setConfig({ testTimeout: 300_000 });

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterEach(() => engine.check());

/** Only the files that ship. */
const shipped = async (name: string) =>
  SELF_TEST_FILES.some((file) => file === name) ? filesIn('tests/fixtures/models/qwen2')(name) : null;
const { signal } = new AbortController();

/** Work on a driver that makes another program of a shader than its text says. Knows each kernel by its label. */
async function sabotaged<T>(
  change: (code: string, label: string) => string,
  work: () => Promise<T>,
): Promise<T> {
  const { device } = given(engine.gpu);
  const right = device.createShaderModule.bind(device);
  device.createShaderModule = (shader) => right({ ...shader, code: change(shader.code, shader.label ?? '') });
  forgetPipelines();
  try {
    return await work();
  } finally {
    device.createShaderModule = right;
    forgetPipelines();
    useDetours([]);
  }
}

function given<T>(value: T | null): T {
  if (value === null) throw new Error('This test needs WebGPU.');
  return value;
}

describe('the self-test', () => {
  it('passes on this device with the files that ship', async () => {
    const heard: SelfTestCheck[] = [];
    const report = await selfTest(engine, shipped, (check) => heard.push(check), signal);
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(report.broken).toEqual([]);
    expect(heard).toEqual(report.checks);
    // every part took place: operations, forward, gradients, ten steps, generation, in both formats
    const done = new Set(report.checks.map(({ part, check }) => `${part}: ${check}`));
    for (const part of ['f32', 'f16'])
      for (const check of [
        'base logits',
        'lora loss',
        'lora adapter after ten steps',
        'lora greedy tokens that differ',
      ])
        expect(done).toContain(`${part}: ${check}`);
    expect(done).toContain('operations: linear, f16');
    expect(report.kernels).toContain('attention');
  });

  it('goes round a kernel that is wrong by TensorFlow.js, and is right then', async () => {
    // each activation in the place of the other
    const report = await sabotaged(
      (code, label) => (label.startsWith('glu') ? code.replaceAll('(GELU)', '(!GELU)') : code),
      () => selfTest(engine, shipped, () => undefined, signal),
    );
    expect(report.broken).toEqual(['glu, silu', 'glu, gelu_tanh']);
    expect(report.verdict.detours).toEqual([{ operation: 'glu', way: 'stock' }]);
    expect(report.checks.filter(({ ok, way }) => !ok || way).map(({ check, way }) => [check, way])).toEqual([
      ['glu, silu', undefined],
      ['glu, gelu_tanh', undefined],
      ['glu, silu', 'stock'],
      ['glu, gelu_tanh', 'stock'],
    ]);
    expect(report.verdict.right).toBe(true);
  });

  it('goes round subgroups that are wrong by plainer designs of its own kernels', async () => {
    expect(given(engine.gpu).fixedSubgroup).toBeGreaterThan(1);
    const others = (code: string) =>
      code
        .replace(/subgroupBroadcast\(([^,]+), [^)]+\)/g, 'subgroupBroadcast($1, 0u)')
        .replace(/subgroupAdd\(/g, 'subgroupMax(');
    const report = await sabotaged(others, () => selfTest(engine, shipped, () => undefined, signal));
    const ways = new Map(report.verdict.detours.map(({ operation, way }) => [operation, way]));
    for (const format of ['f32', 'f16', 'q8', 'q4', 'nf4'] as const)
      expect(ways.get(`linear ${format}`)).toBe('registers');
    expect(ways.get('attention')).toBe('tiles');
    for (const operation of ['rmsNorm', 'heads', 'crossEntropy'] as const)
      expect(ways.get(operation)).toBe('single');
    expect(report.verdict.right).toBe(true);
  });

  it('says that packed weights cannot be used where every product with them is wrong', async () => {
    // the low nibble of a 4-bit word is read as the one above it
    const next = (code: string) => code.replaceAll('vec4u(0u, 4u, 8u, 12u)', 'vec4u(4u, 4u, 8u, 12u)');
    const report = await sabotaged(next, () => selfTest(engine, shipped, () => undefined, signal));
    expect(report.broken).toEqual(['linear, q4', 'linear, nf4']);
    expect(report.verdict).toMatchObject({
      detours: [
        { operation: 'linear q4', way: null },
        { operation: 'linear nf4', way: null },
      ],
      right: true,
    });
  });

  it('ends when it is cancelled', async () => {
    const controller = new AbortController();
    const run = selfTest(engine, shipped, () => controller.abort(new Error('enough')), controller.signal);
    await expect(run).rejects.toThrow('enough');
  });
});
