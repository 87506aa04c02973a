/** Token ids become text as they come. A piece that breaks inside a character waits for the rest of it. */
import type { ChatTokenizer } from './tokenizer';

/** Longer than any character of UTF-8: what is still broken then is broken for good. */
const LONGEST_WAIT = 8;

export class TextStream {
  readonly #tokenizer: ChatTokenizer;
  /** Ids whose text is already out and which give the next one its context. */
  #said: number[];
  #waiting: number[] = [];

  /** `before`: the ids the text goes on from, so that a first word keeps its blank. */
  constructor(tokenizer: ChatTokenizer, before: ArrayLike<number> = []) {
    this.#tokenizer = tokenizer;
    const ids = Array.from(before).slice(-4);
    this.#said = ids.slice(ids.findLastIndex((id) => tokenizer.specialIds.has(id)) + 1);
  }

  /** The text that `id` completes, often a word, sometimes nothing. Special tokens give no text. */
  push(id: number): string {
    if (this.#tokenizer.specialIds.has(id)) return this.flush();
    this.#waiting.push(id);
    const { text, whole } = this.#look();
    if (!whole && this.#waiting.length < LONGEST_WAIT) return '';
    return this.#say(text);
  }

  /** What is still held back, at the end. */
  flush(): string {
    return this.#waiting.length === 0 ? '' : this.#say(this.#look().text);
  }

  #look(): { text: string; whole: boolean } {
    const before = this.#tokenizer.decode(this.#said);
    const after = this.#tokenizer.decode([...this.#said, ...this.#waiting]);
    return { text: after.slice(before.length), whole: !after.endsWith('\u{FFFD}') };
  }

  #say(text: string): string {
    this.#said = this.#waiting;
    this.#waiting = [];
    return text;
  }
}
