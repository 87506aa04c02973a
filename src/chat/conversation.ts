/**
 * A conversation as token ids, turn by turn: what stands before an answer and the answer itself. The same code writes a prompt
 * for training, for scoring and for use, so that a model is asked with exactly the ids it learned from.
 */
import { ANSWER_PLACE } from '../dataset/checkText';
import { DataProblem } from '../dataset/problem';
import type { Message } from '../protocol/data';
import { withoutGuards, type ChatTemplate } from './template';
import type { ChatTokenizer } from './tokenizer';

export interface WrittenAnswer {
  /** The answer with its end mark: what is learned. */
  ids: number[];
  /** What the template prints after the end mark, e.g. a newline. */
  tail: number[];
}

export interface Conversation {
  /** What the model sees before message `turn`. */
  promptText(turn: number): string;
  promptIds(turn: number): number[];
  answer(turn: number): WrittenAnswer;
}

/**
 * `endId` follows an answer where the template prints no end mark; prompts do not need it. `thinking`: whether reasoning is left to the
 * model; without it that is so where an answer holds some.
 */
export function openConversation(
  tokenizer: ChatTokenizer,
  template: ChatTemplate | null,
  messages: readonly Message[],
  endId: number | null = null,
  thinking?: boolean,
): Conversation {
  if (template === null) return new PlainConversation(tokenizer, messages, endId);
  return new TemplatedConversation(tokenizer, template, messages, endId, thinking);
}

/** Without a template: the turns one below the other; an answer begins on a line of its own. */
class PlainConversation implements Conversation {
  constructor(
    private readonly tokenizer: ChatTokenizer,
    private readonly messages: readonly Message[],
    private readonly endId: number | null,
  ) {}

  promptText(turn: number): string {
    const before = this.messages.slice(0, turn);
    return before.map((message) => message.content).join('\n');
  }

  promptIds(turn: number): number[] {
    return [...this.tokenizer.prefixIds, ...this.tokenizer.encodeText(this.promptText(turn))];
  }

  answer(turn: number): WrittenAnswer {
    const content = this.messages[turn]?.content ?? '';
    const ids = this.tokenizer.encodeAnswerAfter(this.promptText(turn), `\n${content}`);
    return { ids: endWith(ids, this.endId), tail: [] };
  }
}

class TemplatedConversation implements Conversation {
  readonly #prompts = new Map<number, string>();
  /** On for conversations that hold reasoning; the template then leaves the think block to the model. */
  readonly #thinking: boolean;

  constructor(
    private readonly tokenizer: ChatTokenizer,
    private readonly template: ChatTemplate,
    private readonly messages: readonly Message[],
    private readonly endId: number | null,
    thinking?: boolean,
  ) {
    this.#thinking =
      thinking ??
      messages.some(({ role, content }) => role === 'assistant' && template.takesReasoning(content));
  }

  promptText(turn: number): string {
    return withoutGuards(this.#prompt(turn));
  }

  /** Earlier answers are encoded apart, as they were when they were learned, wherever they can be found in the text. */
  promptIds(turn: number): number[] {
    const { tokenizer } = this;
    const segments = this.#segments(turn);
    const ids = segments.flatMap((segment, i) => tokenizer.encodeAfter(segments[i - 1] ?? '', segment));
    return oneBos(ids, tokenizer.bosId);
  }

  answer(turn: number): WrittenAnswer {
    const { tokenizer } = this;
    const prompt = this.#prompt(turn);
    const printed = this.#printedAnswer(turn, prompt);
    const end = this.template.endMark === null ? -1 : printed.indexOf(this.template.endMark);
    if (this.template.endMark === null || end === -1) {
      return {
        ids: endWith(tokenizer.encodeAfter(prompt, printed), this.endId),
        tail: [],
      };
    }
    const learned = printed.slice(0, end + this.template.endMark.length);
    return {
      ids: tokenizer.encodeAfter(prompt, learned),
      tail: tokenizer.encodeAfter(learned, printed.slice(learned.length)),
    };
  }

  #prompt(turn: number): string {
    const known = this.#prompts.get(turn);
    if (known !== undefined) return known;
    const before = this.messages.slice(0, turn);
    const text = this.template.render(before, { addGenerationPrompt: true, thinking: this.#thinking });
    this.#prompts.set(turn, text);
    return text;
  }

  /** Cuts the prompt around its earlier answers; one piece where the template prints those otherwise than it asked for them. */
  #segments(turn: number): string[] {
    const whole = this.#prompt(turn);
    const { endMark } = this.template;
    const segments: string[] = [];
    let at = 0;
    for (let earlier = 0; earlier < turn; earlier++) {
      if (this.messages[earlier]?.role !== 'assistant') continue;
      const asked = this.#prompt(earlier);
      const end = endMark === null || !whole.startsWith(asked) ? -1 : whole.indexOf(endMark, asked.length);
      if (endMark === null || end === -1 || asked.length < at) return [whole];
      segments.push(whole.slice(at, asked.length), whole.slice(asked.length, end + endMark.length));
      at = end + endMark.length;
    }
    return [...segments, whole.slice(at)];
  }

  /** The answer as the template prints it, with the end mark and what follows. */
  #printedAnswer(turn: number, prompt: string): string {
    const upTo = this.messages.slice(0, turn + 1);
    const whole = this.template.render(upTo, { addGenerationPrompt: false, thinking: this.#thinking });
    if (whole.startsWith(prompt)) return whole.slice(prompt.length);
    // The rendering with an answer differs from the prompt (Mistral drops the system text there): find the answer in it.
    const probed = upTo.with(turn, { role: 'assistant', content: ANSWER_PLACE });
    const head =
      this.template
        .render(probed, { addGenerationPrompt: false, thinking: this.#thinking })
        .split(ANSWER_PLACE)[0] ?? '';
    const lead = leadOf(head, prompt);
    if (lead === null || !whole.startsWith(head)) {
      throw new DataProblem(
        'The chat template prints this answer so that it cannot be told from what stands before it.',
      );
    }
    return lead + whole.slice(head.length);
  }
}

/** What the template prints between the place where it hands over to the model and the answer, e.g. Mistral's blank. */
function leadOf(head: string, prompt: string): string | null {
  let best = 0;
  let lead: string | null = null;
  for (let length = 0; length <= Math.min(64, head.length); length++) {
    const common = commonEnd(head, head.length - length, prompt);
    if (common > best) {
      best = common;
      lead = head.slice(head.length - length);
    }
  }
  return lead;
}

function commonEnd(text: string, end: number, other: string): number {
  let count = 0;
  while (
    count < 256 &&
    count < end &&
    count < other.length &&
    text[end - 1 - count] === other[other.length - 1 - count]
  )
    count++;
  return count;
}

function endWith(ids: number[], end: number | null): number[] {
  return end === null ? ids : [...ids, end];
}

function oneBos(ids: number[], bosId: number | null): number[] {
  let extra = 0;
  while (bosId !== null && ids[extra] === bosId && ids[extra + 1] === bosId) extra++;
  return ids.slice(extra);
}
