/** The ids a model sees before it answers: the same in training, in scoring and in use. `thinking`: see openConversation. */
import type { Message } from '../protocol/data';
import { openConversation } from './conversation';
import type { ChatTemplate } from './template';
import type { ChatTokenizer } from './tokenizer';

export function promptIds(
  tokenizer: ChatTokenizer,
  template: ChatTemplate | null,
  messages: readonly Message[],
  thinking?: boolean,
): Int32Array {
  const conversation = openConversation(tokenizer, template, messages, null, thinking);
  return Int32Array.from(conversation.promptIds(messages.length));
}

/** The same as text, for showing. */
export function promptText(
  tokenizer: ChatTokenizer,
  template: ChatTemplate | null,
  messages: readonly Message[],
): string {
  return openConversation(tokenizer, template, messages).promptText(messages.length);
}
