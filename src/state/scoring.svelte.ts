/** Base and tuned on the same held-out rows: progress, scores, and what kept them from being made. */
import type { Scores } from '../protocol/scores';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

/** Rows scored by themselves after a run; the person may ask for all. */
export const ROWS_AT_ONCE = 200;

export class ScoringState {
  /** 'unasked': the data holds no question, as plain text does. */
  phase: 'idle' | 'scoring' | 'done' | 'unasked' | 'failed' = $state('idle');
  /** Answers given, of both models together. */
  done = $state(0);
  of = $state(0);
  /** Held-out questions there are, of which the first are scored. */
  available = $state(0);
  /** Held-out rows besides them that ask one of them again. */
  repeated = $state(0);
  testIsValidation = $state(false);
  adapterId: string | null = $state(null);
  scores = $state.raw<Scores | null>(null);
  failure = $state.raw<Failure | null>(null);
  #ticket = 0;

  constructor(private readonly remote: TrainerApi) {}

  async score(
    subject: { modelId: string; adapterId: string; runId: string },
    limit = ROWS_AT_ONCE,
  ): Promise<void> {
    const ticket = ++this.#ticket;
    this.phase = 'scoring';
    this.adapterId = subject.adapterId;
    this.scores = null;
    this.failure = null;
    this.done = this.of = this.available = this.repeated = 0;
    try {
      const held = await this.remote.testRows(subject.runId);
      if (ticket !== this.#ticket) return;
      if (!held.ok) return this.#fail(held.failure);
      const rows = held.value.rows.slice(0, limit);
      this.available = held.value.rows.length;
      this.repeated = held.value.repeated;
      this.testIsValidation = held.value.testIsValidation;
      this.of = 2 * rows.length;
      if (rows.length === 0) {
        this.phase = 'unasked';
        return;
      }
      const request = {
        modelId: subject.modelId,
        adapterId: subject.adapterId,
        rows,
      };
      const result = await this.remote.score(request, (done, of) => {
        if (ticket !== this.#ticket || this.phase !== 'scoring') return;
        this.done = done;
        this.of = of;
      });
      if (ticket !== this.#ticket) return;
      if (!result.ok) return this.#fail(result.failure);
      this.scores = result.value;
      this.phase = 'done';
    } catch (thrown) {
      if (ticket === this.#ticket) this.#fail(failureFrom(thrown, 'Scoring the held-out rows'));
    }
  }

  async cancel(): Promise<void> {
    if (this.phase !== 'scoring') return;
    this.#ticket++;
    this.phase = 'idle';
    await this.remote.cancel();
  }

  /** Leaves the scores of another adapter behind. */
  clear(): void {
    this.#ticket++;
    this.phase = 'idle';
    this.scores = null;
    this.failure = null;
    this.adapterId = null;
  }

  #fail(failure: Failure): void {
    this.failure = failure;
    this.phase = 'failed';
  }
}
