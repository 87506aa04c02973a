/** An example as token ids with the mask: which tokens count in the loss. Knows nothing of lengths, rows or batches. */
import { learnedTurns, type Lesson } from '../dataset/example';
import type { Message } from '../protocol/data';
import type { Settings } from '../protocol/settings';
import { openConversation, type Conversation } from './conversation';
import type { ChatFormat } from './format';

export type MaskRule = Settings['mask'];

/** One document. `learn[t]` is 1 where token t is to be predicted; the first token of a document never is. */
export interface MaskedRow {
  ids: Int32Array;
  learn: Uint8Array;
}

/** One row; or one for each answer where the template prints an earlier answer otherwise than it was learned. */
export function maskLesson(format: ChatFormat, lesson: Lesson, rule: MaskRule): MaskedRow[] {
  switch (lesson.kind) {
    case 'chat':
      return maskChat(format, lesson.messages, rule);
    case 'completion': {
      const { prompt, completion } = completionIds(format, lesson.prompt, lesson.completion);
      return [
        masked([...prompt, ...completion], rule === 'all' ? [[0, Infinity]] : [[prompt.length, Infinity]]),
      ];
    }
    case 'text': {
      const { tokenizer, plainEndId } = format;
      const end = plainEndId === null ? [] : [plainEndId];
      return [
        masked(
          [...tokenizer.prefixIds, ...tokenizer.encodeAnswerAfter('', lesson.text), ...end],
          [[0, Infinity]],
        ),
      ];
    }
    default:
      return lesson satisfies never;
  }
}

/** Prompt and completion as they stand, joined without a break, with the end mark. */
export function completionIds(
  format: ChatFormat,
  prompt: string,
  completion: string,
): { prompt: number[]; completion: number[] } {
  const { tokenizer, plainEndId } = format;
  return {
    prompt: [...tokenizer.prefixIds, ...tokenizer.encodeText(prompt)],
    completion: [
      ...tokenizer.encodeAnswerAfter(prompt, completion),
      ...(plainEndId === null ? [] : [plainEndId]),
    ],
  };
}

function maskChat(format: ChatFormat, messages: readonly Message[], rule: MaskRule): MaskedRow[] {
  const answers = learnedTurns(messages);
  const last = answers.at(-1);
  if (last === undefined) return [];
  const endId = format.template === null ? format.plainEndId : (format.stopIds[0] ?? format.plainEndId);
  const conversation = openConversation(format.tokenizer, format.template, messages, endId);
  const prompt = conversation.promptIds(last);
  const { ids: answer, tail } = conversation.answer(last);
  const whole = [...prompt, ...answer, ...tail];
  if (rule === 'all') return [masked(whole, [[0, Infinity]])];
  const spans: Span[] = [[prompt.length, prompt.length + answer.length]];
  if (rule === 'last-answer') return [masked(whole, spans)];
  for (const turn of answers.slice(0, -1)) {
    const span = spanInside(whole, conversation, turn);
    if (span === null) return answers.map((each) => rowOf(conversation, each));
    spans.push(span);
  }
  return [masked(whole, spans)];
}

type Span = [from: number, to: number];

/** Where an earlier answer stands in the whole, if the whole begins with exactly its prompt and it. */
function spanInside(whole: number[], conversation: Conversation, turn: number): Span | null {
  const prompt = conversation.promptIds(turn);
  const { ids } = conversation.answer(turn);
  const same = [...prompt, ...ids].every((id, i) => whole[i] === id);
  return same ? [prompt.length, prompt.length + ids.length] : null;
}

function rowOf(conversation: Conversation, turn: number): MaskedRow {
  const prompt = conversation.promptIds(turn);
  const { ids, tail } = conversation.answer(turn);
  return masked([...prompt, ...ids, ...tail], [[prompt.length, prompt.length + ids.length]]);
}

function masked(ids: number[], spans: Span[]): MaskedRow {
  const learn = new Uint8Array(ids.length);
  for (const [from, to] of spans) learn.fill(1, from, Math.min(to, ids.length));
  learn[0] = 0;
  return { ids: Int32Array.from(ids), learn };
}
