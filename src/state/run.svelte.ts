/** What the screen knows about one run. Fed by events through `apply`, read by components; it gives no orders. */
import type { Evaluated, Failure, Plan, RunEvent, StepReport } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import type { Milliseconds, Steps } from '../units';

export type Phase =
  'idle' | 'preparing' | 'loading' | 'waiting' | 'running' | 'paused' | 'stopping' | 'finished' | 'failed';

/** What was asked for, fixed when the run starts: the screen shows this and not the form. */
export interface RunSubject {
  name: string;
  modelId: string;
  modelName: string;
  datasetName: string;
  settings: Settings;
}
export interface Loading {
  what: string;
  done: number;
  total: number;
}
export interface Sample {
  step: Steps;
  prompt: string;
  answer: string;
  reference: string;
}
export type Finish = Extract<RunEvent, { type: 'finished' }>;
export interface Warning {
  message: string;
  failure: Failure | null;
  step: Steps;
}

/** Steps before a remaining time is shown, and steps that its median looks back on. */
const WARM_STEPS = 10;
const WINDOW = 20;

export class RunState {
  phase: Phase = $state('idle');
  runId: string | null = $state(null);
  subject = $state.raw<RunSubject | null>(null);
  loading = $state.raw<Loading | null>(null);
  plan = $state.raw<Plan | null>(null);
  latest = $state.raw<StepReport | null>(null);
  best = $state.raw<Evaluated | null>(null);
  saved = $state.raw<{ step: Steps; at: Milliseconds } | null>(null);
  sample = $state.raw<Sample | null>(null);
  warnings = $state.raw<Warning[]>([]);
  finish = $state.raw<Finish | null>(null);
  failure = $state.raw<Failure | null>(null);
  /** When the last event came, so that a silent GPU is noticed. */
  heardAt: Milliseconds = $state(0);

  // Thousands of points: plain arrays the chart reads, plus one counter it reacts to.
  #steps: StepReport[] = [];
  #evaluations: Evaluated[] = [];
  #version = $state(0);
  #startedAt: Milliseconds = $state(0);
  #endedAt: Milliseconds | null = $state(null);
  #pausedAt: Milliseconds | null = $state(null);
  #pausedFor: Milliseconds = $state(0);
  #firstStepHere: Steps | null = null;

  constructor(private readonly clock: () => Milliseconds = Date.now) {}

  get steps(): readonly StepReport[] {
    void this.#version;
    return this.#steps;
  }
  get evaluations(): readonly Evaluated[] {
    void this.#version;
    return this.#evaluations;
  }

  /** Working: the trainer is busy with this run, paused included. */
  active = $derived(
    ['preparing', 'loading', 'waiting', 'running', 'paused', 'stopping'].includes(this.phase),
  );
  step: Steps = $derived(this.latest?.step ?? 0);
  total: Steps = $derived(this.latest?.steps ?? this.plan?.steps ?? 0);
  share: number = $derived(this.total > 0 ? this.step / this.total : 0);
  /** Steps the last checkpoint does not hold. */
  unsaved: Steps = $derived(this.active ? this.step - (this.saved?.step ?? 0) : 0);
  tokensPerSecond: number | null = $derived.by(() => {
    const recent = this.steps.slice(-WINDOW);
    if (recent.length === 0) return null;
    return median(recent.map((report) => (report.tokens / report.stepTime) * 1000));
  });
  stepTime: Milliseconds | null = $derived.by(() => {
    const recent = this.steps.slice(-WINDOW);
    return recent.length === 0 ? null : median(recent.map((report) => report.stepTime));
  });
  remaining: Milliseconds | null = $derived.by(() => {
    if (this.stepTime === null || this.latest === null || this.finish !== null) return null;
    const stepsHere = this.latest.step - (this.#firstStepHere ?? this.latest.step) + 1;
    if (stepsHere < WARM_STEPS) return null;
    return (this.latest.steps - this.latest.step) * this.stepTime;
  });

  /** Time spent working, pauses left out. */
  elapsed(now: Milliseconds): Milliseconds {
    if (this.#startedAt === 0) return 0;
    const until = this.#endedAt ?? this.#pausedAt ?? now;
    return Math.max(0, until - this.#startedAt - this.#pausedFor);
  }

  /** Makes room for a run; with a history, one that goes on. */
  begin(
    subject: RunSubject,
    history?: { runId: string; plan: Plan | null; steps: StepReport[]; evaluations: Evaluated[] },
  ): void {
    this.phase = 'preparing';
    this.subject = subject;
    this.runId = history?.runId ?? null;
    this.plan = history?.plan ?? null;
    this.#steps = [...(history?.steps ?? [])];
    this.#evaluations = [...(history?.evaluations ?? [])];
    this.latest = this.#steps.at(-1) ?? null;
    this.best = this.#evaluations.findLast((report) => report.best) ?? null;
    this.saved = this.latest === null ? null : { step: this.latest.step, at: this.clock() };
    this.loading = null;
    this.sample = null;
    this.warnings = [];
    this.finish = null;
    this.failure = null;
    this.#startedAt = this.heardAt = this.clock();
    this.#endedAt = this.#pausedAt = null;
    this.#pausedFor = 0;
    this.#firstStepHere = null;
    this.#version++;
  }

  /** Another start is under way: what went wrong before no longer stands for it. */
  dismissFailure(): void {
    this.failure = null;
  }

  /** Stop was pressed: said at once, while the trainer finishes its step. */
  markStopping(): void {
    if (!this.active || this.phase === 'stopping') return;
    this.#endPause();
    this.phase = 'stopping';
  }

  apply(event: RunEvent): void {
    this.heardAt = this.clock();
    switch (event.type) {
      case 'loading':
        if (this.phase === 'preparing' || this.phase === 'waiting') this.phase = 'loading';
        this.loading = event;
        return;
      case 'planned':
        this.runId = event.runId;
        this.plan = event.plan;
        this.loading = null;
        if (this.phase !== 'stopping') this.phase = 'waiting';
        return;
      case 'step':
        this.#addStep(event.report);
        return;
      case 'evaluated':
        this.#evaluations = this.#evaluations.filter((report) => report.step < event.report.step);
        this.#evaluations.push(event.report);
        if (event.report.best) this.best = event.report;
        this.#version++;
        return;
      case 'sample':
        this.sample = event;
        return;
      case 'saved':
        this.saved = { step: event.step, at: event.at };
        return;
      case 'warning':
        this.warnings = [
          ...this.warnings,
          { message: event.message, failure: event.failure ?? null, step: this.step },
        ];
        return;
      case 'paused':
        if (this.phase !== 'stopping') this.phase = 'paused';
        this.#pausedAt ??= this.clock();
        return;
      case 'resumed':
        this.#endPause();
        if (this.phase !== 'stopping') this.phase = 'running';
        return;
      case 'finished':
        this.#end('finished');
        this.finish = event;
        this.best = event.best ?? this.best;
        return;
      case 'failed':
        this.#end('failed');
        this.failure = event.failure;
        return;
      default:
        event satisfies never;
    }
  }

  /** A run that lost the GPU goes back to its checkpoint: points after it are replaced, not doubled. */
  #addStep(report: StepReport): void {
    if (this.latest !== null && report.step <= this.latest.step) {
      this.#steps = this.#steps.filter((earlier) => earlier.step < report.step);
      this.#evaluations = this.#evaluations.filter((earlier) => earlier.step < report.step);
    }
    this.#steps.push(report);
    this.#firstStepHere ??= report.step;
    this.latest = report;
    this.loading = null;
    if (this.phase !== 'stopping' && this.phase !== 'paused') this.phase = 'running';
    this.#version++;
  }

  #end(phase: 'finished' | 'failed'): void {
    this.#endPause();
    this.#endedAt = this.clock();
    this.loading = null;
    this.phase = phase;
  }

  #endPause(): void {
    if (this.#pausedAt !== null) this.#pausedFor += this.clock() - this.#pausedAt;
    this.#pausedAt = null;
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
