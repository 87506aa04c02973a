/** What a row of a file becomes once its shape is known. Plain data; knows nothing of tokens or templates. */
import type { Message } from '../protocol/data';

export type Part = 'train' | 'validation' | 'test';

/** What the row teaches. Chat goes through the model's template; completion and text are learned as they stand. */
export type Lesson =
  | { kind: 'chat'; messages: Message[] }
  | { kind: 'completion'; prompt: string; completion: string }
  | { kind: 'text'; text: string };

export interface Example {
  /** 1-based line of the file. */
  line: number;
  lesson: Lesson;
  /** What the row's own `split` column says; null without one. */
  part: Part | null;
}

/** The row as turns, for showing. */
export function asMessages(lesson: Lesson): Message[] {
  switch (lesson.kind) {
    case 'chat':
      return lesson.messages;
    case 'completion':
      return [
        { role: 'user', content: lesson.prompt },
        { role: 'assistant', content: lesson.completion },
      ];
    case 'text':
      return [{ role: 'assistant', content: lesson.text }];
    default:
      return lesson satisfies never;
  }
}

/** The turns that are learned: answers without weight 0. */
export function learnedTurns(messages: readonly Message[]): number[] {
  return messages.flatMap(({ role, weight }, i) => (role === 'assistant' && weight !== 0 ? [i] : []));
}

/** What comes before each answer that is learned, the last one last. */
export function promptsOf(lesson: Lesson): string[] {
  switch (lesson.kind) {
    case 'chat':
      return learnedTurns(lesson.messages).map((turn) => {
        const before = lesson.messages.slice(0, turn);
        const asked = before.filter((message) => message.role !== 'system');
        return (asked.length > 0 ? asked : before).map((message) => message.content).join('\n');
      });
    case 'completion':
      return [lesson.prompt];
    case 'text':
      return [lesson.text];
    default:
      return lesson satisfies never;
  }
}

/** What comes before the last answer: rows that agree in it must not be on both sides of a split. */
export function promptOf(lesson: Lesson): string {
  return promptsOf(lesson).at(-1) ?? '';
}

/** The answer a held-out row is scored against; null for plain text, which asks nothing. */
export function answerOf(lesson: Lesson): string | null {
  switch (lesson.kind) {
    case 'chat':
      return lesson.messages[learnedTurns(lesson.messages).at(-1) ?? -1]?.content ?? null;
    case 'completion':
      return lesson.completion;
    case 'text':
      return null;
    default:
      return lesson satisfies never;
  }
}
