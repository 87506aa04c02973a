/** A model's chat template: renders turns as text and knows how it treats a system turn and where it ends an answer. */
import { GUARD } from '../dataset/checkText';
import { DataProblem } from '../dataset/problem';
import { field, isRow } from '../dataset/record';
import type { ChatAssets, Message } from '../protocol/data';
import { FIXED_DATE, parseTemplate, runTemplate, TemplateRefusal, type Program } from './jinja';
import type { ChatTokenizer } from './tokenizer';

export interface RenderOptions {
  addGenerationPrompt: boolean;
  /** For templates with a thinking switch. Off unless a row holds reasoning. */
  thinking?: boolean;
  dateString?: string;
  tools?: unknown[];
}

const NAMES = ['bos_token', 'eos_token', 'pad_token', 'unk_token'];
const USER_PROBE = 'Vvquestionvv';
const SYSTEM_PROBE = 'Vvsystemvv';
const ANSWER_PROBE = 'Vvanswervv';
const REASONING = /^\s*<think>([\s\S]*?)<\/think>\s*/;

export class ChatTemplate {
  /** True when the template refuses or drops a system turn: its text then stands in front of the first user turn. */
  readonly foldsSystem: boolean;
  /** The special token after an answer; null when the template prints none. */
  readonly endMark: string | null;
  /** Text that the template puts in front of a conversation that has no system turn; empty for most. */
  readonly ownSystemText: string;
  readonly #program: Program;
  readonly #specials: Record<string, string>;
  readonly #knowsReasoning: boolean;
  readonly #tokenizer: ChatTokenizer;

  constructor(source: string, tokenizerConfig: unknown, tokenizer: ChatTokenizer) {
    this.#tokenizer = tokenizer;
    this.#program = parseTemplate(source);
    this.#specials = readSpecials(tokenizerConfig);
    this.#knowsReasoning = source.includes('reasoning_content');
    this.foldsSystem = this.#probeSystem();
    this.endMark = this.#probeEndMark();
    this.ownSystemText = this.#probeOwnText();
  }

  /** The text of the turns. What people wrote is guarded, so that none of it can pass for a mark of the template. */
  render(messages: readonly Message[], options: RenderOptions): string {
    const turns = this.foldsSystem ? foldSystem(messages) : messages;
    return this.#run(turns, options);
  }

  /** True when an answer's reasoning is handed to the template as such. */
  takesReasoning(content: string): boolean {
    return this.#knowsReasoning && REASONING.test(content);
  }

  #run(messages: readonly Message[], options: RenderOptions): string {
    return runTemplate(this.#program, {
      ...this.#specials,
      messages: messages.map((message) => this.#turn(message)),
      add_generation_prompt: options.addGenerationPrompt,
      date_string: options.dateString ?? FIXED_DATE,
      tools: options.tools ?? null,
      documents: null,
      // "On" is to say nothing, as the hub's own callers do.
      ...(options.thinking === true ? {} : { enable_thinking: false }),
    });
  }

  #turn({ role, content }: Message): Record<string, string> {
    if (role !== 'assistant') return { role, content: this.#tokenizer.guard(content) };
    const reasoning = this.#knowsReasoning ? REASONING.exec(content) : null;
    if (reasoning === null) return { role, content: this.#tokenizer.guard(content, true) };
    return {
      role,
      content: this.#tokenizer.guard(content.slice(reasoning[0].length), true),
      reasoning_content: this.#tokenizer.guard((reasoning[1] ?? '').replace(/^\n+|\n+$/g, ''), true),
    };
  }

  #probeSystem(): boolean {
    const messages: Message[] = [
      { role: 'system', content: SYSTEM_PROBE },
      { role: 'user', content: USER_PROBE },
    ];
    try {
      return !this.#run(messages, { addGenerationPrompt: true }).includes(SYSTEM_PROBE);
    } catch (error) {
      if (error instanceof TemplateRefusal) return true;
      throw error;
    }
  }

  #probeEndMark(): string | null {
    const messages: Message[] = [
      { role: 'user', content: USER_PROBE },
      { role: 'assistant', content: ANSWER_PROBE },
    ];
    const text = this.#runProbe(messages, false);
    const at = text.lastIndexOf(ANSWER_PROBE);
    if (at === -1)
      throw new DataProblem('The chat template does not print answers, so nothing can be learned with it.');
    const rest = text.slice(at + ANSWER_PROBE.length);
    let found: string | null = null;
    let first = rest.length;
    for (const mark of this.#tokenizer.controlStrings) {
      const place = rest.indexOf(mark);
      if (place !== -1 && (place < first || (place === first && mark.length > (found ?? '').length))) {
        first = place;
        found = mark;
      }
    }
    return found;
  }

  /** Lines before the question that a system turn takes the place of; what stays beside one is a header. */
  #probeOwnText(): string {
    const user: Message = { role: 'user', content: USER_PROBE };
    const text = this.#runProbe([user], true);
    const beside = this.foldsSystem
      ? text
      : this.#runProbe([{ role: 'system', content: SYSTEM_PROBE }, user], true);
    let before = text.slice(0, text.indexOf(USER_PROBE));
    for (const mark of this.#tokenizer.controlStrings) before = before.replaceAll(mark, '\n');
    const own = before.split('\n').filter((line) => line.trim().includes(' ') && !beside.includes(line));
    return own.join('\n').trim();
  }

  #runProbe(messages: Message[], addGenerationPrompt: boolean): string {
    try {
      return this.#run(messages, { addGenerationPrompt });
    } catch (error) {
      if (error instanceof TemplateRefusal)
        throw new DataProblem(`The chat template refuses a question and an answer: ${error.message}`);
      throw error;
    }
  }
}

/** The model's template, or null where it has none and rows are plain text. */
export function openTemplate(assets: ChatAssets, tokenizer: ChatTokenizer): ChatTemplate | null {
  return assets.chatTemplate === null
    ? null
    : new ChatTemplate(assets.chatTemplate, assets.tokenizerConfig, tokenizer);
}

/** The system text stands in front of the first user turn, with a blank line between. */
export function foldSystem(messages: readonly Message[]): Message[] {
  const [system, ...rest] = messages;
  if (system === undefined || system.role !== 'system') return [...messages];
  const first = rest.findIndex((message) => message.role === 'user');
  const user = rest[first];
  if (user === undefined) return [{ role: 'user', content: system.content }, ...rest];
  return rest.with(first, { ...user, content: `${system.content}\n\n${user.content}` });
}

/** For showing: the text without guards. */
export function withoutGuards(text: string): string {
  return text.replaceAll(GUARD, '');
}

function readSpecials(config: unknown): Record<string, string> {
  const specials: Record<string, string> = {};
  if (!isRow(config)) return specials;
  for (const name of NAMES) {
    const value = field(config, name);
    const content = isRow(value) ? field(value, 'content') : value;
    if (typeof content === 'string') specials[name] = content;
  }
  return specials;
}
