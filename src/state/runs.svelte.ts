/** Earlier runs: those that can go on, and the curve of any of them. */
import type { RunHistory, RunSummary } from '../protocol/runs';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

export class RunsState {
  list = $state.raw<RunSummary[]>([]);
  opened = $state.raw<RunHistory | null>(null);
  failure = $state.raw<Failure | null>(null);
  loaded = $state(false);

  /** Runs that stopped half way and whose checkpoint is on this machine. */
  unfinished: RunSummary[] = $derived(this.list.filter((run) => run.status === 'unfinished'));

  constructor(private readonly remote: TrainerApi) {}

  async load(): Promise<void> {
    try {
      const result = await this.remote.runs();
      if (result.ok) this.list = result.value.toSorted((a, b) => b.created - a.created);
      else this.failure = result.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Listing the runs');
    }
    this.loaded = true;
  }

  async open(id: string): Promise<void> {
    if (this.opened?.summary.id === id) {
      this.opened = null;
      return;
    }
    this.opened = await this.history(id);
  }

  async history(id: string): Promise<RunHistory | null> {
    try {
      const result = await this.remote.history(id);
      if (result.ok) return result.value;
      this.failure = result.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Opening the run');
    }
    return null;
  }

  async remove(id: string): Promise<void> {
    const result = await this.remote.remove('run', id);
    if (!result.ok) {
      this.failure = result.failure;
      return;
    }
    if (this.opened?.summary.id === id) this.opened = null;
    await this.load();
  }
}
