/** What is worth saying about a dataset once it is seen with a model's tokenizer and template. */
import { asMessages, type Example } from '../dataset/example';
import type { ChatFormat } from './format';
import type { MaskedRow } from './mask';

export function findings(
  format: ChatFormat,
  examples: readonly Example[],
  documents: readonly MaskedRow[],
): string[] {
  const { tokenizer, template } = format;
  const chats = examples.filter((example) => example.lesson.kind === 'chat');
  const withSystem = chats.filter((example) => asMessages(example.lesson)[0]?.role === 'system').length;
  const marked = examples.filter((example) =>
    asMessages(example.lesson).some((message) =>
      tokenizer.holdsMark(message.content, message.role === 'assistant'),
    ),
  ).length;
  const reasoned = chats.filter((example) =>
    asMessages(example.lesson).some(
      (message) => message.role === 'assistant' && (template?.takesReasoning(message.content) ?? false),
    ),
  ).length;
  const said: string[] = [];
  if (!endsSomewhere(format, documents))
    said.push('No row ends in an end mark that is learned: the model would not learn to stop.');
  if (marked > 0)
    said.push(
      `${marked} rows hold strings that look like marks of the model (such as <|im_end|>); they are read as plain letters.`,
    );
  if (template === null && chats.length > 0)
    said.push('The model has no chat template: turns stand one below the other as plain text.');
  if (template !== null && template.foldsSystem && withSystem > 0) {
    said.push(
      `The chat template has no place for a system text: in ${withSystem} rows it stands in front of the first question, in training and in use.`,
    );
  }
  if (template !== null && template.ownSystemText !== '' && withSystem < chats.length) {
    said.push(
      `Where a row has no system text the template adds its own: “${template.ownSystemText.slice(0, 160)}”`,
    );
  }
  if (reasoned > 0) said.push(`${reasoned} rows hold reasoning (<think>); it is learned with the answer.`);
  return said;
}

/** True when some document learns an id that ends an answer. */
function endsSomewhere(format: ChatFormat, documents: readonly MaskedRow[]): boolean {
  const stops = new Set([...format.stopIds, format.plainEndId]);
  return documents.some(({ ids, learn }) => ids.some((id, t) => learn[t] === 1 && stops.has(id)));
}
