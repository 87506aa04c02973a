/** The models one can train, which one is chosen, and what this machine can do. */
import { SvelteMap } from 'svelte/reactivity';
import type { Capabilities, ModelSummary, TrainerApi } from '../protocol/apis';
import type { PickedFile } from '../protocol/models';
import type { ChatAssets } from '../protocol/data';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

export class ModelsState {
  phase: 'loading' | 'ready' | 'failed' = $state('loading');
  list = $state.raw<ModelSummary[]>([]);
  selectedId: string | null = $state(null);
  capabilities = $state.raw<Capabilities | null>(null);
  failure = $state.raw<Failure | null>(null);
  adding = $state(false);
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

  async add(files: PickedFile[]): Promise<void> {
    this.adding = true;
    this.failure = null;
    try {
      const result = await this.remote.addModel(files, null, () => undefined);
      if (!result.ok) this.failure = result.failure;
      else if (result.value.state === 'kept') {
        const { model } = result.value;
        this.list = [...this.list.filter(({ id }) => id !== model.id), model];
        this.selectedId = model.id;
      }
    } catch (thrown) {
      this.failure = failureFrom(thrown, 'Adding the model');
    } finally {
      this.adding = false;
    }
  }

  async remove(id: string): Promise<void> {
    const result = await this.remote.remove('model', id);
    if (result.ok) {
      this.list = this.list.filter((model) => model.id !== id);
      if (this.selectedId === id) this.selectedId = null;
    } else this.failure = result.failure;
  }
}
