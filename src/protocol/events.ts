/** What a run says while it works. Small plain objects; `RunState.apply` is the only reader on the screen. */
import type { Bytes, Milliseconds, Steps, Tokens } from '../units';
import type { Detour } from './detours';

/** Why something could not be done, as data, so that it survives a thread. `message` is what, where, and the next move. */
export type Failure =
  | { kind: 'no-webgpu'; message: string }
  | { kind: 'out-of-memory'; message: string; needed: Bytes; available: Bytes }
  | { kind: 'device-lost'; message: string; reason: string }
  | { kind: 'gpu-error'; message: string }
  | { kind: 'wrong-results'; message: string }
  | { kind: 'not-finite'; message: string; step: Steps }
  /** `columns`: those of a table whose names do not tell what asks and what answers; a person may say it. */
  | { kind: 'bad-input'; message: string; columns?: TableColumn[] }
  | { kind: 'wrong-base'; message: string; expected: string; found: string }
  | { kind: 'quota'; message: string; needed: Bytes }
  | { kind: 'busy-elsewhere'; message: string }
  | { kind: 'hub'; message: string; reason: HubReason; status: number | null }
  | { kind: 'internal'; message: string };

/** A column's name, and what stands in it first. */
export interface TableColumn {
  name: string;
  example: string;
}

/** What a hub did instead of sending the bytes that were asked for. */
export type HubReason =
  | 'not-signed-in'
  | 'no-access'
  | 'not-found'
  | 'too-many-requests'
  | 'server-error'
  | 'unreachable'
  | 'not-bytes'
  | 'wrong-length'
  | 'cut-off'
  | 'redirects'
  | 'wrong-host'
  | 'wrong-hash'
  | 'unexpected';

export interface MemoryPart {
  part: 'weights' | 'adapter' | 'optimizer' | 'activations' | 'head' | 'staging';
  bytes: Bytes;
}

export interface Plan {
  backend: string;
  device: string;
  /** Operations of the run that the device computes wrongly, and the ways around them; absent where there are none. */
  detours?: Detour[];
  steps: Steps;
  rowsPerStep: number;
  tokensPerStep: Tokens;
  trainableParameters: number;
  frozenParameters: number;
  memory: MemoryPart[];
  predictedBytes: Bytes;
}

export interface StepReport {
  step: Steps;
  steps: Steps;
  epoch: number;
  /** Mean over the supervised tokens of the step, nats. */
  loss: number;
  learningRate: number;
  gradientNorm: number;
  supervised: Tokens;
  tokens: Tokens;
  /** Wall time of the step. */
  stepTime: Milliseconds;
}

export interface Evaluated {
  step: Steps;
  /** Mean over supervised held-out tokens, nats. */
  loss: number;
  best: boolean;
}

/** 'not-finite': a gradient overflowed; what was best before it is kept. */
export type FinishReason = 'completed' | 'early-stop' | 'stopped' | 'not-finite';

export type RunEvent =
  | { type: 'loading'; what: string; done: number; total: number }
  | { type: 'planned'; runId: string; plan: Plan }
  | { type: 'step'; report: StepReport }
  | { type: 'evaluated'; report: Evaluated }
  | { type: 'sample'; step: Steps; prompt: string; answer: string; reference: string }
  | { type: 'saved'; step: Steps; at: number }
  | { type: 'warning'; message: string; failure?: Failure }
  | { type: 'paused'; step: Steps }
  | { type: 'resumed'; step: Steps }
  | {
      type: 'finished';
      reason: FinishReason;
      /** null after training all weights: then `modelId` names the new model. Both are missing where no step was done. */
      adapterId: string | null;
      modelId?: string;
      best: Evaluated | null;
      peakBytes: Bytes;
      seconds: number;
    }
  | { type: 'failed'; failure: Failure };
