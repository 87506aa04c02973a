/** What this tab has asked of hubs; read afresh while somebody looks. */
import type { Failure } from '../protocol/events';
import type { HubRequest, ModelsApi } from '../protocol/models';
import type { Milliseconds } from '../units';
import { failureFrom } from './failure';

const AGAIN: Milliseconds = 1000;

export class HubLog {
  requests = $state.raw<HubRequest[]>([]);
  failure = $state.raw<Failure | null>(null);

  constructor(private readonly remote: ModelsApi) {}

  async load(): Promise<void> {
    try {
      const result = await this.remote.hubRequests();
      if (result.ok) this.requests = result.value;
      this.failure = result.ok ? null : result.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Reading the list of requests');
    }
  }

  /** Until the returned function is called. */
  watch(): () => void {
    void this.load();
    const timer = setInterval(() => void this.load(), AGAIN);
    return () => clearInterval(timer);
  }
}
