/** Figures, kernels and checks of the Benchmark page, the failing kinds among them. */
import type { BenchmarkRow, KernelTrial, SelfTestCheck } from '../../../src/protocol/benchmark';
import type { Verdict } from '../../../src/protocol/detours';

const measured = { device: 'Test GPU', peers: [] };
const peer = { peer: 'TensorFlow.js', version: '4.22.0' };
export const benchmarkRows: BenchmarkRow[] = [
  {
    ...measured,
    ...{ name: 'matmul', what: 'Matrix product, forward', shape: '512 × 896 × 4864, q4' },
    ours: { ms: 100, least: 98.5, most: 104, runs: 20, gflops: 44.6 },
    limit: { what: 'the best product of this device', value: 50, unit: 'GFLOP/s', fraction: 0.892 },
    peers: [
      { ...peer, ms: 900, ratio: 9, correct: true, relL2: 3e-7 },
      { ...peer, peer: 'Another', ms: null, ratio: null, correct: false, relL2: 1.4 },
    ],
  },
  {
    ...measured,
    ...{ name: 'matmul', what: 'Matrix product, forward', shape: '512 × 896 × 4864, f32' },
    ours: { ms: 125, least: 120, most: 131, runs: 16, gflops: 35.7 },
    limit: { what: 'the best product of this device', value: 50, unit: 'GFLOP/s', fraction: 0.714 },
    peers: [{ ...peer, ms: 900, ratio: 7.2, correct: true, relL2: 3e-7 }],
  },
  {
    ...measured,
    ...{ name: 'head', what: 'Final norm, logits and loss', shape: '96 × 896 × 151936' },
    ...{ ours: null, limit: null, reason: 'This GPU allows 128 MiB in one binding.' },
  },
];
export const kernelTrials: KernelTrial[] = [
  {
    product: 'forward',
    format: 'q4',
    design: 'tiles, 64 × 64, 4 × 4 each',
    time: 2.5,
    error: 1e-7,
    chosen: true,
  },
  { product: 'forward', format: 'q4', design: 'registers, 8 × 4', time: 4, error: 1e-7, chosen: false },
  {
    product: 'backward',
    format: 'q4',
    design: 'tiles, 32 × 64, 4 × 4 each',
    time: null,
    error: 0.4,
    chosen: false,
  },
];
export const selfTestChecks: SelfTestCheck[] = [
  { part: 'operations', check: 'rmsNorm', error: 2e-7, tolerance: 1e-4, ok: true },
  { part: 'operations', check: 'attention', error: 0.3, tolerance: 1e-4, ok: false },
  { part: 'operations', check: 'attention', error: 3e-7, tolerance: 1e-4, ok: true, way: 'stock' },
];
export const verdict: Verdict = {
  detours: [{ operation: 'attention', way: 'stock' }],
  right: true,
  made: Date.UTC(2026, 4, 17, 12),
};
