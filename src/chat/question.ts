/** A held-out row as a question with its answer, for scoring. */
import { answerOf, learnedTurns, type Lesson } from '../dataset/example';
import type { EvalRow, Message } from '../protocol/data';
import type { ChatFormat } from './format';
import { completionIds } from './mask';
import { openConversation } from './conversation';

/** Null for plain text, which asks nothing. */
export function questionOf(format: ChatFormat, lesson: Lesson | undefined): EvalRow | null {
  const reference = lesson === undefined ? null : answerOf(lesson);
  if (lesson === undefined || reference === null) return null;
  switch (lesson.kind) {
    case 'chat': {
      const turn = learnedTurns(lesson.messages).at(-1) ?? 0;
      const conversation = openConversation(format.tokenizer, format.template, lesson.messages);
      return {
        promptIds: Int32Array.from(conversation.promptIds(turn)),
        promptText: conversation.promptText(turn),
        question: lastAsked(lesson.messages.slice(0, turn)),
        reference,
      };
    }
    case 'completion': {
      const { prompt } = completionIds(format, lesson.prompt, lesson.completion);
      return {
        promptIds: Int32Array.from(prompt),
        promptText: lesson.prompt,
        question: lesson.prompt,
        reference,
      };
    }
    case 'text':
      return null;
    default:
      return lesson satisfies never;
  }
}

/** The turn that the answer answers: the person's last, or the last of any kind where no person speaks. */
function lastAsked(before: readonly Message[]): string {
  return (before.findLast(({ role }) => role === 'user') ?? before.at(-1))?.content ?? '';
}
