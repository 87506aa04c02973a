/** How the rows of a set ask, and a person's question put in the same way. */
import type { Example } from '../dataset/example';
import type { Manner, Message } from '../protocol/data';
import type { ChatFormat } from './format';
import { promptIds } from './prompt';

export function mannerOf({ template }: ChatFormat, examples: readonly Example[]): Manner {
  const [first] = examples;
  const kind = first?.lesson.kind ?? 'chat';
  const chats = examples.flatMap(({ lesson }) => (lesson.kind === 'chat' ? [lesson.messages] : []));
  const most = (count: number) => 2 * count > examples.length;
  const systems = new Map<string, number>();
  for (const [opening] of chats)
    if (opening?.role === 'system') systems.set(opening.content, (systems.get(opening.content) ?? 0) + 1);
  const [system] = [...systems].find(([, count]) => most(count)) ?? [null];
  const reasons = ({ role, content }: Message) =>
    role === 'assistant' && (template?.takesReasoning(content) ?? false);
  return { kind, system, thinking: most(chats.filter((messages) => messages.some(reasons)).length) };
}

/** The ids of a question as the rows would have asked it. Without a manner it is a chat. */
export function askedIds(
  { tokenizer, template }: ChatFormat,
  messages: readonly Message[],
  manner?: Manner,
): Int32Array {
  if (manner !== undefined && manner.kind !== 'chat') {
    const text = messages.map(({ content }) => content).join('\n');
    return Int32Array.from([...tokenizer.prefixIds, ...tokenizer.encodeText(text)]);
  }
  const own = messages.some(({ role }) => role === 'system');
  const system = manner === undefined || own ? null : manner.system;
  const turns: Message[] =
    system === null ? [...messages] : [{ role: 'system', content: system }, ...messages];
  return promptIds(tokenizer, template, turns, manner?.thinking);
}
