/** A person's question is put as the rows put theirs: id for id what was learned. */
import { describe, expect, it } from 'vitest';
import { askedIds, mannerOf } from '../../src/chat/manner';
import { questionOf } from '../../src/chat/question';
import type { Example, Lesson } from '../../src/dataset/example';
import type { Message } from '../../src/protocol/data';
import { withTemplate } from './assets';

const TEMPLATE =
  '{% for m in messages %}[{{ m.role }}]{% if m.reasoning_content %}{{ m.reasoning_content }}/{% endif %}{{ m.content }}{% endfor %}' +
  '{% if add_generation_prompt %}[assistant]{% if enable_thinking is defined %}<no thoughts>{% endif %}{% endif %}';
const format = withTemplate('qwen2', TEMPLATE);

const row = (lesson: Lesson): Example => ({ line: 1, part: null, lesson });
const chat = (...turns: [Message['role'], string][]): Example =>
  row({ kind: 'chat', messages: turns.map(([role, content]) => ({ role, content })) });
const question: Message[] = [{ role: 'user', content: 'How much is it?' }];

/** What the rows ask with, for the question that the last of them asks. */
function learnedIds(examples: Example[]): Int32Array | undefined {
  return questionOf(format, examples.at(-1)?.lesson)?.promptIds;
}

describe('a question is put as in training', () => {
  it.each([
    ['a chat', [chat(['user', 'How much is it?'], ['assistant', '4'])]],
    ['a system text', [chat(['system', 'Be short.'], ['user', 'How much is it?'], ['assistant', '4'])]],
    ['reasoning', [chat(['user', 'How much is it?'], ['assistant', '<think>\n2 and 2\n</think>\n\n4'])]],
    ['a completion', [row({ kind: 'completion', prompt: 'How much is it?', completion: ' 4' })]],
  ])('%s', (_, examples) => {
    expect(askedIds(format, question, mannerOf(format, examples))).toEqual(learnedIds(examples));
  });

  it('the four differ from each other', () => {
    const ids = [
      askedIds(format, question),
      askedIds(format, question, { kind: 'chat', system: 'Be short.', thinking: false }),
      askedIds(format, question, { kind: 'chat', system: null, thinking: true }),
      askedIds(format, question, { kind: 'completion', system: null, thinking: false }),
    ];
    expect(new Set(ids.map((one) => one.join())).size).toBe(4);
  });

  it('a system text of one’s own takes the place of theirs', () => {
    const own: Message[] = [{ role: 'system', content: 'Rhyme.' }, ...question];
    expect(askedIds(format, own, { kind: 'chat', system: 'Be short.', thinking: false })).toEqual(
      askedIds(format, own),
    );
  });

  it('what fewer than half of the rows have is no manner of theirs', () => {
    const plain = chat(['user', 'a'], ['assistant', 'b']);
    const short = chat(['system', 'Be short.'], ['user', 'a'], ['assistant', '<think>c</think>b']);
    expect(mannerOf(format, [plain, short])).toEqual({ kind: 'chat', system: null, thinking: false });
    expect(mannerOf(format, [plain, short, short])).toEqual({
      kind: 'chat',
      system: 'Be short.',
      thinking: true,
    });
  });
});
