import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { firstDocuments, plainText } from '../../scripts/demo-models/corpus';
import { lessonCards } from '../../scripts/demo-models/lessonCards';
import { makeLessons } from '../../scripts/demo-models/lessons';
import { parseSettings } from '../../src/protocol/settings';

const rowSchema = v.strictObject({
  messages: v.tuple([
    v.strictObject({ role: v.literal('user'), content: v.pipe(v.string(), v.minLength(1)) }),
    v.strictObject({ role: v.literal('assistant'), content: v.pipe(v.string(), v.minLength(1)) }),
  ]),
});
const demo = (name: string) => readFileSync(new URL(`../../public/demo/${name}`, import.meta.url), 'utf8');
const rowsOf = (file: string) =>
  demo(file)
    .trimEnd()
    .split('\n')
    .map((line) => v.parse(rowSchema, JSON.parse(line)).messages);

describe.each(makeLessons())('the lesson $file', ({ file, rows }) => {
  it('is the file its script writes', () => {
    expect(rowsOf(file)).toEqual(rows);
  });

  it('has at least 300 rows and asks no question twice', () => {
    const questions = rows.map((row) => row[0]?.content);
    expect(questions.length).toBeGreaterThanOrEqual(300);
    expect(new Set(questions).size).toBe(questions.length);
  });
});

it('a record holds five fields, each found in its sentence', () => {
  for (const [question, answer] of rowsOf('records.jsonl')) {
    const record = /^who: (\w+) \| what: (\w+) \| colour: (\w+) \| number: ([1-9]) \| where: (\w+)$/.exec(
      answer.content,
    );
    expect(record, answer.content).not.toBeNull();
    const [, who = '', what = '', colour = '', , where = ''] = record ?? [];
    for (const word of [who, what, colour, where]) expect(question.content).toContain(word);
  }
});

it('shop messages carry five labels, none rarer than one row in ten', () => {
  const counts = new Map<string, number>();
  const rows = rowsOf('shop-messages.jsonl');
  for (const [, answer] of rows) counts.set(answer.content, (counts.get(answer.content) ?? 0) + 1);
  expect([...counts.keys()].sort()).toEqual(['order', 'problem', 'question', 'return', 'thanks']);
  expect(Math.min(...counts.values())).toBeGreaterThan(rows.length / 10);
});

it('the corpus never shows a record, nor answers with a label alone', () => {
  const answers = new Set<string>();
  for (const document of firstDocuments(20_000)) {
    for (const text of plainText(document))
      expect(text).not.toMatch(/(who|what|colour|number|where): \w+ \|/);
    if (document.kind === 'story') continue;
    for (const message of document.messages) if (message.role === 'assistant') answers.add(message.content);
  }
  for (const label of ['order', 'problem', 'question', 'return', 'thanks'])
    expect(answers).not.toContain(label);
});

it('the list of lessons is the one in the scripts, with settings that parse and questions outside the rows', () => {
  expect(JSON.parse(demo('lessons.json'))).toEqual(JSON.parse(JSON.stringify(lessonCards)));
  for (const card of lessonCards) {
    expect(parseSettings(card.settings).rank).toBe(card.settings.rank);
    expect(rowsOf(card.file).map(([question]) => question.content)).not.toContain(card.question);
  }
});
