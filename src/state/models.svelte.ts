/** The models one can train, which one is chosen, and what this machine can do. */
import { SvelteMap } from 'svelte/reactivity';
import { candidateFrom, type Candidate } from '../guide/candidate';
import type { Capabilities } from '../protocol/capabilities';
import type { ModelSummary } from '../protocol/models';
import type { TrainerApi } from '../protocol/trainerApi';
import type { ChatAssets } from '../protocol/data';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

export class ModelsState {
  phase: 'loading' | 'ready' | 'failed' = $state('loading');
  list = $state.raw<ModelSummary[]>([]);
  selectedId: string | null = $state(null);
  capabilities = $state.raw<Capabilities | null>(null);
  failure = $state.raw<Failure | null>(null);
  /** What the models' own config.json say, for those that were asked for. */
  candidates = new SvelteMap<string, Candidate>();
  #assets = new SvelteMap<string, ChatAssets>();

  selected: ModelSummary | null = $derived(
    this.list.find((model) => model.id === this.selectedId) ?? this.list[0] ?? null,
  );

  constructor(private readonly remote: TrainerApi) {}

  async load(): Promise<void> {
    try {
      const capabilities = await this.remote.capabilities();
      if (capabilities.ok) this.capabilities = capabilities.value;
      else this.failure = capabilities.failure;
      const models = await this.remote.models();
      if (models.ok) this.list = models.value;
      else this.failure = models.failure;
      this.phase = models.ok ? 'ready' : 'failed';
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Starting the trainer');
      this.phase = 'failed';
    }
  }

  /** The worker that does the work cannot be had. */
  broken(reason: string): void {
    this.failure = {
      kind: 'internal',
      message: `The trainer could not go on: ${reason}. Reload the page to start it again.`,
    };
    if (this.phase === 'loading') this.phase = 'failed';
  }

  select(id: string): void {
    this.selectedId = id;
  }

  name(id: string): string {
    return this.list.find((model) => model.id === id)?.name ?? id;
  }

  async assets(id: string): Promise<ChatAssets | null> {
    const known = this.#assets.get(id);
    if (known !== undefined) return known;
    try {
      const result = await this.remote.chatAssets(id);
      if (result.ok) {
        this.#assets.set(id, result.value);
        return result.value;
      }
      this.failure = result.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Loading the tokenizer');
    }
    return null;
  }

  /** Reads what a model's config.json says, so that its fit can be judged. */
  async study(id: string): Promise<void> {
    if (this.candidates.has(id)) return;
    try {
      const result = await this.remote.modelConfig(id);
      if (result.ok) this.candidates.set(id, candidateFrom(result.value));
      else this.failure = result.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Reading the model’s config.json');
    }
  }

  /** A model that has just been kept: chosen at once. */
  async arrived(model: ModelSummary): Promise<void> {
    await this.relist();
    if (this.list.some(({ id }) => id === model.id)) this.selectedId = model.id;
  }

  /** The list again, after something was added or deleted. */
  async relist(): Promise<void> {
    try {
      const models = await this.remote.models();
      if (models.ok) this.list = models.value;
      else this.failure = models.failure;
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Listing the models');
    }
  }
}
