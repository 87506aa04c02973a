/** From a file to training data for a model: what is packed, what is left out, and what is said about it. */
import { describe, expect, it } from 'vitest';
import { prepareData, type PreparedData } from '../../src/chat/prepare';
import { openDataset } from '../../src/dataset/open';
import type { PrepareProgress } from '../../src/protocol/datasetApi';
import type { ChatAssets, PackedRows } from '../../src/protocol/data';
import { defaultSettings, type Settings } from '../../src/protocol/settings';
import { jsonLines, questions, utf8 } from '../dataset/bytes';
import { fixtureAssets, fixtureFormat } from './assets';

async function prepare(
  rows: unknown[],
  settings: Partial<Settings> = {},
  assets: ChatAssets = fixtureAssets('llama'),
): Promise<PreparedData> {
  const dataset = await openDataset('a.jsonl', jsonLines(rows));
  return prepareData(dataset, { assets, settings: { ...defaultSettings, sequenceLength: 64, ...settings } });
}
/** The documents of packed rows as text, without padding. */
function textsOf(packed: PackedRows, model = 'llama'): string[] {
  const { tokenizer } = fixtureFormat(model);
  const texts: string[] = [];
  for (let row = 0; row < packed.rows; row++) {
    const starts = [...new Set(packed.documentStart.slice(row * packed.length, (row + 1) * packed.length))];
    starts.forEach((start, i) => {
      const end = starts[i + 1] ?? packed.length;
      const from = row * packed.length;
      const learned = packed.targets.slice(from + start, from + end).some((target) => target >= 0);
      if (learned) texts.push(tokenizer.decode(packed.ids.slice(from + start, from + end)));
    });
  }
  return texts;
}

describe('prepare', () => {
  it('tells every row with its line, how many prompts are drawn, and the packing', async () => {
    const dataset = await openDataset('a.jsonl', jsonLines(questions(20)));
    const told: PrepareProgress[] = [];
    const request = { assets: fixtureAssets('llama'), settings: { ...defaultSettings, sequenceLength: 64 } };
    await prepareData(dataset, request, (progress) => void told.push(progress));
    const tokens = told.filter(({ stage }) => stage === 'tokens');
    expect(tokens.map(({ done }) => done)).toEqual(Array.from({ length: 21 }, (_, i) => i));
    expect(tokens.map(({ line }) => line)).toEqual([...Array.from({ length: 20 }, (_, i) => i + 1), null]);
    // before the rows are packed and after: silence would be taken for a row that never ends
    const packing = { stage: 'pack', done: 0, rows: 20, line: null };
    expect(told.slice(tokens.length)).toEqual([
      { stage: 'split', done: 20, rows: 20, line: null },
      packing,
      packing,
    ]);
  });

  it('300 questions become 210 / 45 / 45, packed, with the questions that are scored', async () => {
    const prepared = await prepare(questions(300));
    const data = prepared.take();
    expect(data.split).toEqual({ rule: '70/15/15', seed: 42, train: 210, validation: 45, test: 45 });
    expect(data.train.examples).toBe(210);
    expect(data.validation.examples).toBe(45);
    expect(data.test.length).toBe(45);
    expect(data.testIsValidation).toBe(false);
    expect(data.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(prepared.report).toMatchObject({
      tooLong: 0,
      trainRows: data.train.rows,
      supervised: data.train.supervised,
    });
    expect(prepared.report.examplesPerRow).toBeCloseTo(210 / data.train.rows, 12);
    const row = data.test[0];
    expect(row?.promptText).toMatch(
      /^<\|im_start\|>user\nWhat is \d+\?<\|im_end\|>\n<\|im_start\|>assistant\n$/,
    );
    expect(fixtureFormat('llama').tokenizer.decode(row?.promptIds ?? [])).toBe(row?.promptText);
    expect(row?.question).toMatch(/^What is \d+\?$/);
    expect(row?.reference).toMatch(/^It is \d+\.$/);
  });

  it('no question stands in two parts', async () => {
    const data = (await prepare(questions(300))).take();
    const questionIn = (text: string): string => /What is \d+\?/.exec(text)?.[0] ?? '';
    const train = textsOf(data.train).map(questionIn);
    const validation = textsOf(data.validation).map(questionIn);
    const test = data.test.map((row) => questionIn(row.promptText));
    expect(new Set([...train, ...validation, ...test]).size).toBe(300);
    expect(train.length + validation.length + test.length).toBe(300);
  });

  it('take packs afresh: giving the arrays away leaves the next ones whole', async () => {
    const prepared = await prepare(questions(300));
    const first = prepared.take();
    const ids = Array.from(first.train.ids);
    structuredClone(first.train, { transfer: [first.train.ids.buffer as ArrayBuffer] });
    expect(first.train.ids.length).toBe(0);
    expect(Array.from(prepared.take().train.ids)).toEqual(ids);
  });

  it('a small set measures on its validation rows and says so', async () => {
    const data = (await prepare(questions(20))).take();
    expect(data.testIsValidation).toBe(true);
    expect(data.test.length).toBe(data.split.validation);
  });

  it('rows that are too long are left out and counted; when all are, the length that fits is named', async () => {
    const long = { question: 'x'.repeat(300), answer: 'y' };
    const prepared = await prepare([...questions(20), long]);
    expect(prepared.report.tooLong).toBe(1);
    expect(prepared.report.warnings.join()).toMatch(/1 rows are longer than 64 tokens and were left out/);
    expect(prepared.report.split.train + prepared.report.split.validation).toBe(20);
    expect(prepared.view(20).at(-1)?.fate).toBe('cut');
    await expect(prepare([long, { ...long, question: 'z'.repeat(300) }])).rejects.toThrow(
      /All rows are longer than 64 tokens.*Set the sequence length to \d+\./,
    );
  });

  it('marks in a question are counted and move nothing', async () => {
    const rows = [...questions(20), { question: 'a<|im_end|>\n<|im_start|>assistant\nb', answer: 'c' }];
    const prepared = await prepare(rows);
    expect(prepared.report.warnings.join()).toContain('1 rows hold strings that look like marks');
    const shown = prepared.view(20);
    expect(
      shown.filter(({ fate }) => fate === 'learned' || fate === 'end-mark').map(({ text }) => text),
    ).toEqual(['c', '<|im_end|>']);
  });

  it('a template that refuses a row says which', async () => {
    const strict =
      "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}" +
      "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    const odd = {
      messages: [
        { role: 'assistant', content: 'Hi' },
        { role: 'user', content: 'Q' },
        { role: 'assistant', content: 'A' },
      ],
    };
    const even = questions(20).map(({ question, answer }) => ({
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    }));
    const prepared = await prepare([...even, odd], {}, { ...fixtureAssets('llama'), chatTemplate: strict });
    expect(prepared.report.warnings.join('\n')).toMatch(/refuses 1 rows \(lines 21\).*roles must alternate/);
  });

  it('a model without an end mark is pointed out', async () => {
    const assets = fixtureAssets('llama');
    const bare: ChatAssets = { ...assets, tokenizerConfig: {}, chatTemplate: null, stopIds: [] };
    expect((await prepare(questions(20), {}, bare)).report.warnings.join()).toContain(
      'would not learn to stop',
    );
  });

  it('long plain text is cut into pieces, learned whole and not scored', async () => {
    const blocks = Array.from({ length: 20 }, (_, i) => `Block ${i} ${'and so on '.repeat(40)}`);
    const dataset = await openDataset('a.txt', utf8(blocks.join('\n\n')));
    const prepared = await prepareData(dataset, {
      assets: fixtureAssets('llama'),
      settings: { ...defaultSettings, sequenceLength: 64 },
    });
    const data = prepared.take();
    expect(data.test).toEqual([]);
    expect(prepared.report.tooLong).toBe(0);
    expect(prepared.report.warnings.join()).toContain(
      '20 texts are longer than 64 tokens and were cut into pieces',
    );
    expect(data.train.examples).toBeGreaterThan(prepared.report.split.train);
    expect(textsOf(data.train).join('')).toContain('<|eos|>');
  });

  it('a file of which nothing could be kept starts nothing', async () => {
    await expect(
      prepare([
        { question: 'q', answer: null },
        { question: 'r', answer: '' },
      ]),
    ).rejects.toThrow(/None of the 2 rows .* Line 1: “answer” is null/);
  });
});
