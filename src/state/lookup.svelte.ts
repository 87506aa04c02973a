/** One repository of the hub, asked about before anything large is fetched. */
import type { Failure } from '../protocol/events';
import type { ModelFacts, ModelsApi } from '../protocol/models';
import type { WeightFormat } from '../protocol/weightFormats';
import { failureFrom } from './failure';
import type { Preferences } from './preferences.svelte';

const REPOSITORY = /^[\w.-]+\/[\w.-]+$/;

export class Lookup {
  repository = $state('');
  revision = $state('main');
  asking = $state(false);
  facts = $state.raw<ModelFacts | null>(null);
  failure = $state.raw<Failure | null>(null);
  format: WeightFormat = $state('f16');
  #ticket = 0;
  /** Wanted for one repository before it was asked about. */
  #wish: WeightFormat | null = null;

  /** Null when the id can be asked for, else what is wrong with it. */
  complaint: string | null = $derived.by(() => {
    const id = idIn(this.repository);
    if (id === '') return 'Enter an id such as Qwen/Qwen2.5-0.5B-Instruct.';
    return REPOSITORY.test(id) ? null : `“${id}” is not an id. It has the form ORGANISATION/NAME.`;
  });

  constructor(
    private readonly remote: ModelsApi,
    private readonly preferences: Preferences,
  ) {}

  get source() {
    const { hub, token } = this.preferences;
    return {
      repository: idIn(this.repository),
      revision: this.revision.trim() || 'main',
      hub,
      ...(token === '' ? {} : { token }),
    };
  }

  async ask(): Promise<void> {
    if (this.complaint !== null) return;
    const ticket = ++this.#ticket;
    this.asking = true;
    this.facts = null;
    this.failure = null;
    try {
      const result = await this.remote.describeModel(this.source);
      if (ticket !== this.#ticket) return;
      if (result.ok) {
        this.facts = result.value;
        this.format = this.#wish ?? result.value.suggestedFormat;
      } else this.failure = result.failure;
    } catch (thrown) {
      if (ticket !== this.#ticket) return;
      this.failure = failureFrom(thrown, 'Asking the hub');
    }
    this.asking = false;
  }

  /** Fills in what a link names; asking is left to the person. */
  prefill(repository: string, revision: string, format: WeightFormat): void {
    this.clear();
    this.repository = repository;
    this.revision = revision;
    this.#wish = format;
  }

  /** What was found belongs to the id as it was. */
  clear(): void {
    this.#wish = null;
    this.#ticket++;
    this.asking = false;
    this.facts = null;
    this.failure = null;
  }
}

/** People paste whole addresses. */
function idIn(text: string): string {
  return text
    .trim()
    .replace(/^https?:\/\/[^/]+\//, '')
    .replace(/\/(tree|blob|resolve)\/.*$/, '')
    .replace(/\/+$/, '');
}
