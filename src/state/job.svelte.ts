/** Gives the trainer its orders for one run and hands every event to RunState. Knows nothing of pages. */
import type { DatasetApi } from '../protocol/datasetApi';
import type { RunHistory } from '../protocol/runs';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Failure, RunEvent } from '../protocol/events';
import type { Milliseconds } from '../units';
import { failureFrom } from './failure';
import { RunState, type RunSubject } from './run.svelte';

/** Events come by another port than the end of the call, so the last one may arrive a moment after it. */
const LAST_WORD: Milliseconds = 5000;

export class Job {
  readonly run: RunState;
  #toldEnd: () => void = () => undefined;

  constructor(
    private readonly trainer: TrainerApi,
    private readonly dataset: DatasetApi,
    run = new RunState(),
  ) {
    this.run = run;
  }

  /** Trains what the dataset worker has prepared; resolves when the run is over, however it ended. */
  async start(subject: RunSubject): Promise<void> {
    if (this.run.active) return;
    this.run.begin(subject);
    await this.#work('Training', async () => {
      const data = await this.dataset.take();
      if (!data.ok) return this.#fail(data.failure);
      const { modelId, name, settings } = subject;
      await this.trainer.train({ modelId, name, settings, data: data.value }, (event) => this.#hear(event));
    });
  }

  /** Goes on from the last checkpoint of a run that stopped half way. */
  async continue(history: RunHistory): Promise<void> {
    if (this.run.active) return;
    const { summary, settings, plan, steps, evaluations } = history;
    const kept = steps.filter((report) => report.step <= summary.step);
    const subject = { ...summary, settings };
    this.run.begin(subject, { runId: summary.id, plan, steps: kept, evaluations });
    await this.#work('Going on with the run', () =>
      this.trainer.continueRun(summary.id, (event) => this.#hear(event)),
    );
  }

  async pause(): Promise<void> {
    if (this.run.phase === 'running' || this.run.phase === 'waiting') await this.trainer.pause();
  }

  async resume(): Promise<void> {
    if (this.run.phase === 'paused') await this.trainer.resume();
  }

  async toggle(): Promise<void> {
    await (this.run.phase === 'paused' ? this.resume() : this.pause());
  }

  async stop(): Promise<void> {
    if (!this.run.active || this.run.phase === 'stopping') return;
    this.run.markStopping();
    await this.trainer.stop();
  }

  #hear(event: RunEvent): void {
    this.run.apply(event);
    if (!this.run.active) this.#toldEnd();
  }

  #fail(failure: Failure): void {
    this.run.apply({ type: 'failed', failure });
  }

  async #work(doing: string, work: () => Promise<void>): Promise<void> {
    try {
      const told = new Promise<void>((resolve) => (this.#toldEnd = resolve));
      await work();
      if (this.run.active)
        await Promise.race([told, new Promise((resolve) => setTimeout(resolve, LAST_WORD))]);
      if (this.run.active) {
        this.#fail({
          kind: 'internal',
          message: `${doing} ended at step ${this.run.step} without a reason. The last checkpoint is kept: go on from it.`,
        });
      }
    } catch (thrown) {
      if (this.run.active) this.#fail(failureFrom(thrown, doing));
    }
  }
}
