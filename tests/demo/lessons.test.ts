import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { firstDocuments } from '../../scripts/demo-models/corpus';
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

it('the shop’s voice has five lines, none rarer than one row in ten', () => {
  const counts = new Map<string, number>();
  const rows = rowsOf('shop-voice.jsonl');
  for (const [, answer] of rows) counts.set(answer.content, (counts.get(answer.content) ?? 0) + 1);
  expect(counts.size).toBe(5);
  expect(Math.min(...counts.values())).toBeGreaterThan(rows.length / 10);
});

it('shop messages carry five labels, none rarer than one row in ten', () => {
  const counts = new Map<string, number>();
  const rows = rowsOf('shop-messages.jsonl');
  for (const [, answer] of rows) counts.set(answer.content, (counts.get(answer.content) ?? 0) + 1);
  expect([...counts.keys()].sort()).toEqual(['order', 'problem', 'question', 'return', 'thanks']);
  expect(Math.min(...counts.values())).toBeGreaterThan(rows.length / 10);
});

it('the corpus never answers as a lesson does: no bare label, no line of the shop’s voice', () => {
  const said = new Set<string>();
  for (const document of firstDocuments(20_000)) {
    if (document.kind === 'story') continue;
    for (const message of document.messages) if (message.role === 'assistant') said.add(message.content);
  }
  const taught = makeLessons().flatMap(({ rows }) => rows.map((row) => row[1]?.content ?? ''));
  expect(new Set(taught).size).toBe(10);
  for (const answer of new Set(taught)) expect(said).not.toContain(answer);
});

it('the list of lessons is the one in the scripts, with settings that parse and questions outside the rows', () => {
  expect(JSON.parse(demo('lessons.json'))).toEqual(JSON.parse(JSON.stringify(lessonCards)));
  for (const card of lessonCards) {
    expect(parseSettings(card.settings).rank).toBe(card.settings.rank);
    expect(rowsOf(card.file).map(([question]) => question.content)).not.toContain(card.question);
  }
});
