/** What is learned: the reference trainer's ids and labels, and our own rules where they differ on purpose. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { maskLesson, type MaskedRow } from '../../src/chat/mask';
import { viewRows } from '../../src/chat/view';
import { promptIds } from '../../src/chat/prompt';
import { openFormat, type ChatFormat } from '../../src/chat/format';
import type { Lesson } from '../../src/dataset/example';
import type { Message } from '../../src/protocol/data';
import { fixtureAssets, fixtureFormat, withTemplate } from './assets';

interface Batch {
  rows: Record<string, unknown>[];
  batch: { input_ids: number[][]; labels: number[][]; attention_mask: number[][] };
}
const ORACLE = JSON.parse(
  readFileSync(new URL('../fixtures/chat/sft_batches.json', import.meta.url), 'utf8'),
) as Record<string, Batch>;

/** The rows of a reference batch without their padding. */
function reference(name: string): { rows: Batch['rows']; documents: { ids: number[]; labels: number[] }[] } {
  const found = ORACLE[name];
  if (found === undefined) throw new Error(`The oracle has no batch ${name}.`);
  const documents = found.batch.input_ids.map((ids, i) => {
    const kept = (found.batch.attention_mask[i] ?? []).filter((bit) => bit === 1).length;
    return { ids: ids.slice(0, kept), labels: (found.batch.labels[i] ?? []).slice(0, kept) };
  });
  return { rows: found.rows, documents };
}
/** Labels as the reference writes them: the id where it is learned, else -100. The first token is never predicted by either. */
const labelsOf = ({ ids, learn }: MaskedRow): number[] =>
  Array.from(ids, (id, t) => (learn[t] === 1 ? id : -100));
const chat = (messages: unknown): Lesson => ({ kind: 'chat', messages: messages as Message[] });
const only = (rows: MaskedRow[]): MaskedRow => {
  expect(rows.length).toBe(1);
  return rows[0] ?? { ids: new Int32Array(), learn: new Uint8Array() };
};

describe.each(['llama', 'qwen2'])('the reference trainer with the tokenizer of %s', (model) => {
  const format = fixtureFormat(model);

  it('assistant answers: the same ids and the same labels', () => {
    const { rows, documents } = reference(`${model}/chat_assistant_only`);
    rows.forEach((row, i) => {
      const masked = only(maskLesson(format, chat(row.messages), 'assistant'));
      expect(Array.from(masked.ids)).toEqual(documents[i]?.ids);
      expect(labelsOf(masked)).toEqual(documents[i]?.labels);
    });
  });

  it('everything: the same ids, all of them learned but the first', () => {
    const { rows, documents } = reference(`${model}/chat_full`);
    rows.forEach((row, i) => {
      const masked = only(maskLesson(format, chat(row.messages), 'all'));
      expect(labelsOf(masked)).toEqual([-100, ...(documents[i]?.labels ?? []).slice(1)]);
    });
  });

  it('the last answer only: as prompt and completion, less the newline after the end mark', () => {
    const { rows, documents } = reference(`${model}/chat_prompt_completion`);
    rows.forEach((row, i) => {
      const messages = [...(row.prompt as Message[]), ...(row.completion as Message[])];
      const masked = only(maskLesson(format, chat(messages), 'last-answer'));
      expect(Array.from(masked.ids)).toEqual(documents[i]?.ids);
      expect(labelsOf(masked)).toEqual([...(documents[i]?.labels ?? []).slice(0, -1), -100]);
    });
  });

  it.each([
    ['prompt_completion_text', 'assistant'],
    ['prompt_completion_text_full_loss', 'all'],
  ] as const)('%s without a template, closed by EOS', (name, rule) => {
    const { rows, documents } = reference(`${model}/${name}`);
    rows.forEach((row, i) => {
      const lesson: Lesson = {
        kind: 'completion',
        prompt: String(row.prompt),
        completion: String(row.completion),
      };
      const masked = only(maskLesson(format, lesson, rule));
      expect(Array.from(masked.ids)).toEqual(documents[i]?.ids);
      const expected = documents[i]?.labels ?? [];
      expect(labelsOf(masked)).toEqual([-100, ...expected.slice(1)]);
    });
  });

  it('plain text with EOS', () => {
    const { rows, documents } = reference(`${model}/plain_text`);
    rows.forEach((row, i) => {
      const masked = only(maskLesson(format, { kind: 'text', text: String(row.text) }, 'assistant'));
      expect(Array.from(masked.ids)).toEqual(documents[i]?.ids);
      expect(labelsOf(masked)).toEqual([-100, ...(documents[i]?.labels ?? []).slice(1)]);
    });
  });
});

const TURNS: Message[] = [
  { role: 'user', content: 'A?' },
  { role: 'assistant', content: 'B.' },
  { role: 'user', content: 'C?' },
  { role: 'assistant', content: '\nD.' },
];
/** Ids of a row up to its first learned one of answer `n`. */
function learnedSpans({ learn }: MaskedRow): [number, number][] {
  const spans: [number, number][] = [];
  learn.forEach((bit, t) => {
    if (bit === 1 && learn[t - 1] !== 1) spans.push([t, t + 1]);
    const last = spans.at(-1);
    if (bit === 1 && last !== undefined) last[1] = t + 1;
  });
  return spans;
}

describe('turns', () => {
  it.each(['llama', 'qwen2', 'qwen3', 'mistral'])(
    '%s: what stands before an answer in training is the prompt in use, turn by turn',
    (model) => {
      const format = fixtureFormat(model);
      const row = only(maskLesson(format, chat(TURNS), 'assistant'));
      const spans = learnedSpans(row);
      expect(spans.length).toBe(2);
      spans.forEach(([from, to], n) => {
        const prompt = promptIds(format.tokenizer, format.template, TURNS.slice(0, 2 * n + 1));
        expect(Array.from(row.ids.slice(0, from))).toEqual(Array.from(prompt));
        expect(format.stopIds).toContain(row.ids[to - 1]);
      });
    },
  );

  it('an answer of weight 0 is read, not learned', () => {
    const format = fixtureFormat('llama');
    const messages = TURNS.map((turn, i): Message => (i === 1 ? { ...turn, weight: 0 } : turn));
    const row = only(maskLesson(format, chat(messages), 'assistant'));
    expect(learnedSpans(row).length).toBe(1);
    expect(format.tokenizer.decode(row.ids.filter((_, t) => row.learn[t] === 1))).toBe('\nD.<|im_end|>');
  });

  it('a mark of the answer keeps its meaning in completions and texts, and stays letters in a prompt', () => {
    const assets = fixtureAssets('qwen3');
    const file = assets.tokenizer as { added_tokens: { id: number; content: string; special: boolean }[] };
    // as Qwen3 has it: a token of its own, but none that is left out of an answer
    const added_tokens = file.added_tokens.map((token) =>
      token.content === '<|fim_pad|>' ? { ...token, content: '<think>', special: false } : token,
    );
    const format = openFormat({ ...assets, tokenizer: { ...file, added_tokens } });
    const mark = format.tokenizer.idOf('<think>');
    const idsOf = (lesson: Lesson) => Array.from(only(maskLesson(format, lesson, 'assistant')).ids);
    const counted = (lesson: Lesson) => idsOf(lesson).filter((id) => id === mark).length;
    expect(counted({ kind: 'completion', prompt: 'a <think> b', completion: '<think>c' })).toBe(1);
    expect(counted({ kind: 'text', text: 'a <think> b <think>' })).toBe(2);
    // one that is left out of answers stays letters wherever a person wrote it
    const end = format.tokenizer.idOf('<|im_end|>');
    const ids = idsOf({ kind: 'completion', prompt: 'a', completion: 'b<|im_end|>c' });
    expect(ids.filter((id) => id === end).length).toBe(format.plainEndId === end ? 1 : 0);
  });

  it('a template that prints earlier answers otherwise gives a row for each answer', () => {
    // Only the last answer is printed with a frame, as Qwen3 does with its think block.
    const source =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' and loop.last %}{{ '#' }}{% endif %}" +
      "{{ m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n#' }}{% endif %}";
    const format = withTemplate('llama', source);
    const rows = maskLesson(format, chat(TURNS), 'assistant');
    expect(rows.length).toBe(2);
    rows.forEach((row, n) => {
      const prompt = promptIds(format.tokenizer, format.template, TURNS.slice(0, 2 * n + 1));
      expect(learnedSpans(row).map(([from]) => from)).toEqual([prompt.length]);
      expect(Array.from(row.ids.slice(0, prompt.length))).toEqual(Array.from(prompt));
    });
  });

  it('without a template the turns are lines and EOS ends the answer', () => {
    const format: ChatFormat = withTemplate('llama', null);
    const row = only(maskLesson(format, chat(TURNS.slice(0, 2)), 'assistant'));
    expect(format.tokenizer.decode(row.ids)).toBe('<|bos|>A?\nB.<|eos|>');
    expect(format.tokenizer.decode(row.ids.filter((_, t) => row.learn[t] === 1))).toBe('\nB.<|eos|>');
  });
});

describe('the mask viewer', () => {
  it('shows what is learned, read, special, the end mark and what is cut', () => {
    const format = fixtureFormat('llama');
    const rows = maskLesson(format, chat(TURNS.slice(0, 2)), 'assistant');
    const shown = viewRows(format, rows, 1000, false);
    expect(shown.map(({ text }) => text).join('')).toBe(
      '<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\nB.<|im_end|>\n',
    );
    const fates = new Map(shown.map(({ text, fate }) => [text, fate]));
    expect(fates.get('<|im_start|>')).toBe('special');
    expect(fates.get('A')).toBe('read');
    expect(fates.get('B')).toBe('learned');
    expect(fates.get('<|im_end|>')).toBe('end-mark');
    expect(viewRows(format, rows, 5, false).at(-1)?.fate).toBe('cut');
  });
});
