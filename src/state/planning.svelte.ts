/** The plan before a run: steps and predicted bytes for what the form and the data say now. */
import type { PreparedReport } from '../protocol/datasetApi';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Failure, Plan } from '../protocol/events';
import type { Settings } from '../protocol/settings';
import { failureFrom } from './failure';

export class Planning {
  plan = $state.raw<Plan | null>(null);
  failure = $state.raw<Failure | null>(null);
  busy = $state(false);
  #ticket = 0;

  constructor(private readonly remote: TrainerApi) {}

  async refresh(modelId: string, settings: Settings, prepared: PreparedReport): Promise<void> {
    const ticket = ++this.#ticket;
    this.busy = true;
    const train = {
      rows: prepared.trainRows,
      examples: Math.round(prepared.trainRows * prepared.examplesPerRow),
      length: settings.sequenceLength,
    };
    try {
      const result = await this.remote.plan({ modelId, settings, train });
      if (ticket !== this.#ticket) return;
      this.plan = result.ok ? result.value : null;
      this.failure = result.ok ? null : result.failure;
    } catch (thrown) {
      if (ticket !== this.#ticket) return;
      this.plan = null;
      this.failure = failureFrom(thrown, 'Predicting steps and memory');
    }
    this.busy = false;
  }

  clear(): void {
    this.#ticket++;
    this.plan = null;
    this.failure = null;
    this.busy = false;
  }
}
