/** The figures of a run that is over and scored, as one plain object for scripts that drive the page. */
import type { Capabilities } from '../protocol/capabilities';
import type { Scores } from '../protocol/scores';
import type { CurvePoint } from '../guide/curve';
import type { RunState } from './run.svelte';

export interface RunResult {
  model: string;
  modelId: string;
  backend: string;
  device: string;
  steps: number;
  lossFirst: number | null;
  lossLast: number | null;
  evalLossFirst: number | null;
  evalLossBest: number | null;
  exactMatchBase: number | null;
  exactMatchTuned: number | null;
  /** Held-out rows scored. */
  rows: number;
  /** Wall time of the training, to a tenth. */
  seconds: number;
  peakBytes: number | null;
  adapterId: string | null;
  curve: CurvePoint[];
}

export function resultOf(run: RunState, scores: Scores | null, machine: Capabilities | null): RunResult {
  return {
    model: run.subject?.modelName ?? '',
    modelId: run.subject?.modelId ?? '',
    backend: run.plan?.backend ?? machine?.backend ?? '',
    device: run.plan?.device ?? machine?.device ?? '',
    steps: run.step,
    lossFirst: run.steps[0]?.loss ?? null,
    lossLast: run.steps.at(-1)?.loss ?? null,
    evalLossFirst: run.evaluations[0]?.loss ?? null,
    evalLossBest: run.best?.loss ?? null,
    exactMatchBase: scores?.base.share ?? null,
    exactMatchTuned: scores?.tuned.share ?? null,
    rows: scores?.base.of ?? 0,
    seconds: Math.round(10 * (run.finish?.seconds ?? 0)) / 10,
    peakBytes: run.finish?.peakBytes ?? null,
    adapterId: run.finish?.adapterId ?? null,
    curve: run.steps.map(({ step, loss }) => ({ step, loss })),
  };
}
