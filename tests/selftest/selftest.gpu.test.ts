/** The self-test of the page on this rig's device: it passes here, and a kernel that is made wrong is named. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startEngine, type Engine } from '../../src/gpu/backend';
import type { SelfTestCheck } from '../../src/protocol/benchmark';
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

  it('names the operation whose kernel is wrong', async () => {
    // a mocked module would be missed where another file of this process has loaded the kernel before
    const right = tf.getKernel('Glu', 'webgpu');
    const register = (kernelFunc: tf.KernelFunc) => {
      tf.unregisterKernel('Glu', 'webgpu');
      tf.registerKernel({ kernelName: 'Glu', backendName: 'webgpu', kernelFunc });
    };
    // each activation in the place of the other
    register((call) => {
      const activation = call.attrs?.activation === 'silu' ? 'gelu_tanh' : 'silu';
      return right.kernelFunc({ ...call, attrs: { ...call.attrs, activation } });
    });
    try {
      const report = await selfTest(engine, shipped, () => undefined, signal);
      expect(report.broken).toEqual(['glu, silu', 'glu, gelu_tanh']);
      expect(report.checks.find(({ part, check }) => part === 'f32' && check === 'base logits')?.ok).toBe(
        false,
      );
    } finally {
      register(right.kernelFunc);
    }
  });

  it('ends when it is cancelled', async () => {
    const controller = new AbortController();
    const run = selfTest(engine, shipped, () => controller.abort(new Error('enough')), controller.signal);
    await expect(run).rejects.toThrow('enough');
  });
});
