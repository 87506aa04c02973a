/** The self-test of the page on this rig's device: it passes here, and a kernel that is made wrong is named. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import type { SelfTestCheck } from '../../src/protocol/benchmark';
import { forgetPipelines } from '../../src/gpu/pipelines';
import { useDetours } from '../../src/ops/ways';
import { checkOracle, ORACLE_TOLERANCES, type Check } from '../../src/selftest/check';
import { findDetours } from '../../src/selftest/detours';
import { SELF_TEST_FILES } from '../../src/selftest/files';
import { operationsToTest } from '../../src/selftest/operations';
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

const detoursOf = (names: readonly string[]) =>
  findDetours(
    operationsToTest().filter(({ operation }) => names.includes(operation)),
    () => engine.check(),
    () => undefined,
    signal,
  );

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
      ['glu, in a product, f32', 'stock'],
      ['glu, in a product, q4', 'stock'],
    ]);
    expect(report.verdict.right).toBe(true);
  });

  it('goes round subgroups that are wrong by plainer designs of its own kernels', async ({ skip }) => {
    if (!given(engine.gpu).software) skip('On a graphics card no design uses subgroups.');
    expect(given(engine.gpu).fixedSubgroup).toBeGreaterThan(1);
    const others = (code: string) =>
      code
        .replace(/subgroup(Broadcast|Shuffle)\(([^,]+), [^)]+\)/g, 'subgroup$1($2, 0u)')
        .replace(/subgroupAdd\(/g, 'subgroupMax(');
    const chosen = [
      ...['linear f32', 'linear q4', 'rmsNorm', 'heads', 'attention', 'glu', 'crossEntropy'],
      ...['attentionApart', 'sampleToken'],
    ];
    const checks: Check[] = [];
    const detours = await sabotaged(others, async () => {
      const found = await detoursOf(chosen);
      const note = (check: Check) => checks.push(check);
      await checkOracle('qwen2', shipped, 'f32', ORACLE_TOLERANCES.f32, note);
      return found;
    });
    expect(detours).toEqual([
      { operation: 'linear f32', way: 'registers' },
      { operation: 'linear q4', way: 'registers' },
      { operation: 'rmsNorm', way: 'single' },
      { operation: 'heads', way: 'single' },
      { operation: 'attention', way: 'tiles' },
      { operation: 'attentionApart', way: 'single' },
      { operation: 'crossEntropy', way: 'single' },
      { operation: 'sampleToken', way: 'single' },
    ]);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(checks.map(({ check }) => check)).toContain('lora adapter after ten steps');
  });

  it('finds no way where every product with packed weights is wrong', async () => {
    // the lowest nibble of a word is read as the one above it
    const next = (code: string) => code.replaceAll('vec4u(0u, 4u, 8u, 12u)', 'vec4u(4u, 4u, 8u, 12u)');
    const detours = await sabotaged(next, () =>
      detoursOf(['linear f32', 'linear q8', 'linear q4', 'embed q4']),
    );
    expect(detours).toEqual([{ operation: 'linear q4', way: null }]);
  });

  it('ends when it is cancelled', async () => {
    const controller = new AbortController();
    const run = selfTest(engine, shipped, () => controller.abort(new Error('enough')), controller.signal);
    await expect(run).rejects.toThrow('enough');
  });
});
