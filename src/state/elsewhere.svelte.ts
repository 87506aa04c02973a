/**
 * Whether another tab of this browser is training. The training tab tells its step over a BroadcastChannel and answers
 * when asked; a tab that says nothing for `SILENCE` counts as gone. The lock itself is the trainer worker's.
 */
import * as v from 'valibot';
import type { Milliseconds } from '../units';

const messageSchema = v.variant('type', [
  v.object({ type: v.literal('ask') }),
  v.object({ type: v.literal('over') }),
  v.object({ type: v.literal('training'), name: v.string(), step: v.number(), steps: v.number() }),
]);
export type TabMessage = v.InferOutput<typeof messageSchema>;

const SILENCE: Milliseconds = 45_000;

export interface Channel {
  postMessage(message: TabMessage): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

export class Elsewhere {
  /** The other tab's run, or null when this tab may train. */
  run = $state.raw<{ name: string; step: number; steps: number } | null>(null);
  #mine: TabMessage | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #left = false;

  constructor(private readonly channel: Channel) {
    channel.onmessage = (event) => {
      const parsed = v.safeParse(messageSchema, event.data);
      if (parsed.success) this.#hear(parsed.output);
    };
    channel.postMessage({ type: 'ask' });
  }

  /** This tab trains; says so to the others. */
  tell(name: string, step: number, steps: number): void {
    if (this.#left) return;
    this.#mine = { type: 'training', name, step, steps };
    this.channel.postMessage(this.#mine);
  }

  over(): void {
    if (this.#mine === null) return;
    this.#mine = null;
    this.channel.postMessage({ type: 'over' });
  }

  /** This tab is being closed: a step that is still told of after that would make the others wait until it counts as gone. */
  leave(): void {
    this.over();
    this.#left = true;
  }

  /** The browser shows this tab again, as it was. */
  back(): void {
    this.#left = false;
  }

  #hear(message: TabMessage): void {
    switch (message.type) {
      case 'ask':
        if (this.#mine !== null) this.channel.postMessage(this.#mine);
        return;
      case 'over':
        this.#forget();
        return;
      case 'training':
        // one tab trains; another may have said so while it asked for the lock
        if (this.#mine !== null) return;
        this.run = message;
        if (this.#timer !== null) clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#forget(), SILENCE);
        return;
      default:
        message satisfies never;
    }
  }

  #forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.run = null;
  }
}
