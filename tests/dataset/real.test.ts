/** Real slices of public datasets, where they are present: what they are, how many rows are kept, and how they are divided. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openDataset, type OpenedDataset } from '../../src/dataset/open';
import { splitExamples } from '../../src/dataset/split';

const FOLDER = new URL('../../../shared/datasets/', import.meta.url);
const absent = !existsSync(FOLDER);

function open(name: string): Promise<OpenedDataset> {
  return openDataset(name, new Uint8Array(readFileSync(new URL(name, FOLDER))));
}

describe('real datasets', () => {
  it.skipIf(absent).each([
    ['openai_toy_chat_fine_tuning.jsonl', 'Chat messages (OpenAI, ChatML)', 'JSON Lines', 5, 5],
    ['sharegpt_dummy_conversation.json', 'ShareGPT conversations', 'JSON array', 500, 500],
    ['alpaca_en_demo.json', 'Alpaca (instruction, input, output)', 'JSON array', 999, 999],
    ['gsm8k_train_1000.jsonl', 'Question and answer', 'JSON Lines', 1000, 1000],
    ['c4_text_200.jsonl', 'Plain text', 'JSON Lines', 200, 200],
    [
      'banking77_train.csv',
      'Table (“text” asks, “category” answers)',
      'CSV, separated by comma',
      10_003,
      10_003,
    ],
    ['TruthfulQA.csv', 'Table (“Question” asks, “Best Answer” answers)', 'CSV, separated by comma', 813, 813],
    // The rest defines tools; each of those rows is listed with its line.
    ['toolcall_sharegpt_en.json', 'ShareGPT conversations', 'JSON array', 300, 109],
  ])('%s is read as %s', async (name, shape, container, rows, kept) => {
    const { report } = await open(name);
    expect(report).toMatchObject({ shape, container, rows, kept });
    expect(report.rejected.length).toBe(rows - kept);
    expect(report.preview.length).toBe(5);
  });

  it.skipIf(absent).each([
    ['dpo_sharegpt_150.json', /“Preference pairs \(chosen and rejected\)”.*only supervised training/],
    ['truthfulqa_preference.jsonl', /“Preference pairs \(chosen and rejected\)”/],
    ['kto_150.json', /“KTO \(answers with a label\)”/],
    ['banking77_categories.json', /not an object/],
  ])('%s is refused in words', async (name, words) => {
    await expect(open(name)).rejects.toThrow(words);
  });

  it.skipIf(absent)(
    'every label of Banking77 is in all three parts, in the shares of the table',
    async () => {
      const { examples } = await open('banking77_train.csv');
      const { parts, rule } = await splitExamples(examples, 42);
      expect(rule).toBe('85/10/5');
      expect([parts.train.length, parts.validation.length, parts.test.length]).toEqual([8503, 1000, 500]);
      for (const part of Object.values(parts)) {
        const labels = new Set(
          part.map((i) => JSON.stringify(examples[i]?.lesson).split('"content":').at(-1)),
        );
        expect(labels.size).toBe(77);
      }
    },
  );
});
