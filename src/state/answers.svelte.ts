/** One question to the base and to the tuned model, answers side by side as they are written. */
import type { Answer, AnswerRequest, SamplingOptions } from '../protocol/answers';
import type { TrainerApi } from '../protocol/trainerApi';
import type { Message } from '../protocol/data';
import type { Failure } from '../protocol/events';
import { failureFrom } from './failure';

export class Column {
  text = $state('');
  phase: 'empty' | 'waiting' | 'writing' | 'done' | 'failed' = $state('empty');
  answer = $state.raw<Answer | null>(null);
  failure = $state.raw<Failure | null>(null);

  reset(phase: 'empty' | 'waiting'): void {
    this.text = '';
    this.answer = null;
    this.failure = null;
    this.phase = phase;
  }
}

export class AnswersState {
  base = new Column();
  tuned = new Column();
  sampling: SamplingOptions = $state({ temperature: 0, topP: 1, seed: 42, maxTokens: 64 });
  asked: string | null = $state(null);
  busy = $state(false);
  #cancelled = false;

  constructor(private readonly remote: TrainerApi) {}

  /** The GPU writes one answer at a time: the base model first, then the same question, put the same way, with the adapter. */
  async ask(
    { modelId, adapterId, manner }: Pick<AnswerRequest, 'modelId' | 'adapterId' | 'manner'>,
    messages: Message[],
  ): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.#cancelled = false;
    this.asked = messages.findLast((message) => message.role === 'user')?.content ?? null;
    this.base.reset('waiting');
    this.tuned.reset(adapterId === null ? 'empty' : 'waiting');
    const asked = { modelId, messages, ...(manner && { manner }) };
    await this.#fill(this.base, { ...asked, adapterId: null });
    if (adapterId !== null && !this.#cancelled) await this.#fill(this.tuned, { ...asked, adapterId });
    if (this.#cancelled && this.tuned.phase === 'waiting') this.tuned.reset('empty');
    this.busy = false;
  }

  async cancel(): Promise<void> {
    if (!this.busy) return;
    this.#cancelled = true;
    await this.remote.cancel();
  }

  async #fill(column: Column, asked: Omit<AnswerRequest, 'sampling'>): Promise<void> {
    let over = false;
    const request = { ...asked, sampling: $state.snapshot(this.sampling) };
    try {
      const result = await this.remote.answer(request, (piece) => {
        // A last piece may arrive after the whole answer has.
        if (over) return;
        column.phase = 'writing';
        column.text += piece;
      });
      over = true;
      if (result.ok) {
        column.answer = result.value;
        column.text = result.value.text;
        column.phase = 'done';
      } else {
        column.failure = result.failure;
        column.phase = 'failed';
      }
    } catch (thrown) {
      column.failure = failureFrom(thrown, 'Answering');
      column.phase = 'failed';
    }
  }
}
